package tocsin.bench.kstreams;

import java.util.concurrent.TimeUnit;

/** The built-in rules with their defaults. The ordinal is a bit in masks and in stored state: append only. */
enum Rule {
  FAILED_AUTH_BURST("failed-auth-burst", "HIGH", 5, TimeUnit.MINUTES.toNanos(5), TimeUnit.MINUTES.toNanos(15)),
  UNAUTHORIZED_ACCESS("unauthorized-access", "CRITICAL", 3, TimeUnit.MINUTES.toNanos(10), TimeUnit.MINUTES.toNanos(15)),
  DATA_VELOCITY("data-velocity", "MEDIUM", 50, TimeUnit.MINUTES.toNanos(1), TimeUnit.MINUTES.toNanos(15)),
  BULK_OPERATION("bulk-operation", "MEDIUM", 100, TimeUnit.MINUTES.toNanos(5), TimeUnit.MINUTES.toNanos(15)),
  OFF_HOURS_ACCESS("off-hours-access", "LOW", 1, 1, TimeUnit.HOURS.toNanos(8));

  static final Rule[] ALL = values();

  final String id;
  final String severity;
  final int threshold; // matches
  final long window; // nanoseconds; (t − window, t] holds the threshold at a crossing t
  final long cooldown; // nanoseconds without a holding point after which the rule alerts again

  Rule(String id, String severity, int threshold, long window, long cooldown) {
    this.id = id;
    this.severity = severity;
    this.threshold = threshold;
    this.window = window;
    this.cooldown = cooldown;
  }

  int bit() {
    return 1 << ordinal();
  }
}
