package tocsin.bench.kstreams;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class WindowsTest {
  private static final long SECOND = 1_000_000_000L;

  /** Feeds times in seconds to one rule of one key; returns the crossings in seconds. */
  private static List<Long> crossings(Rule rule, double... times) {
    Windows windows = new Windows();
    List<Long> found = new ArrayList<>();
    byte[] state = null;
    for (double t : times) {
      state = windows.step(state, rule.bit(), Math.round(t * SECOND));
      if (windows.crossed() != 0) {
        assertEquals(rule.bit(), windows.crossed());
        assertTrue(windows.count(rule) >= rule.threshold);
        found.add(windows.crossing(rule) / SECOND);
      }
    }
    return found;
  }

  @Test
  void crossingTimes() {
    Rule denied = Rule.UNAUTHORIZED_ACCESS; // 3 in 600 s, silent for 900 s
    assertEquals(List.of(), crossings(denied, 0, 300));
    assertEquals(List.of(20L), crossings(denied, 0, 10, 20));
    assertEquals(List.of(599L), crossings(denied, 0, 1, 599), "(t - W, t] has both ends in it");
    assertEquals(List.of(), crossings(denied, 0, 1, 600), "(t - W, t] is open below");
    assertEquals(List.of(10L), crossings(denied, 10, 10, 10), "equal times count together");
    assertEquals(List.of(20L), crossings(denied, 0, 10, 20, 30, 40), "one alert while it goes on");
    assertEquals(List.of(20L), crossings(denied, 0, 10, 20, 900, 910, 920), "a pause of the cooldown: still the same");
    assertEquals(List.of(20L, 921L), crossings(denied, 0, 10, 20, 901, 911, 921));
    assertEquals(List.of(20L), crossings(denied, 10, 20, 19), "out of order by little");
    assertEquals(List.of(5L), crossings(Rule.OFF_HOURS_ACCESS, 5, 6, 7));
    assertEquals(List.of(5L, 28_806L), crossings(Rule.OFF_HOURS_ACCESS, 5, 28_806));
  }

  @Test
  void rulesOfAKeyDoNotDisturbEachOther() {
    Windows windows = new Windows();
    byte[] state = null;
    List<Long> found = new ArrayList<>();
    for (int i = 0; i < 49; i++) {
      int matched = Rule.DATA_VELOCITY.bit() | (i % 20 == 0 ? Rule.UNAUTHORIZED_ACCESS.bit() : 0);
      state = windows.step(state, matched, i * SECOND);
      if (windows.crossed() != 0) {
        assertEquals(Rule.UNAUTHORIZED_ACCESS.bit(), windows.crossed());
        found.add(windows.crossing(Rule.UNAUTHORIZED_ACCESS) / SECOND);
      }
    }
    assertEquals(List.of(40L), found);
    state = windows.step(state, Rule.DATA_VELOCITY.bit(), 49 * SECOND);
    assertEquals(Rule.DATA_VELOCITY.bit(), windows.crossed());
    assertEquals(49 * SECOND, windows.crossing(Rule.DATA_VELOCITY));
  }

  /** Whether a key fires is the same as by keeping every event, with times out of order as producers' are. */
  @Test
  void firesAsPlainCountingDoes() {
    Random random = new Random(1);
    for (int run = 0; run < 3000; run++) {
      Rule rule = Rule.ALL[random.nextInt(4)];
      int n = rule.threshold + random.nextInt(3 * rule.threshold);
      double rate = rule.threshold / (rule.window / 1e9) * (0.5 + random.nextDouble());
      double[] times = new double[n];
      double at = 0;
      for (int i = 0; i < n; i++) {
        at += -Math.log(1 - random.nextDouble()) / rate;
        times[i] = Math.max(0, at - 1.4 * random.nextDouble());
      }
      assertEquals(fires(rule, times), !crossings(rule, times).isEmpty(), rule + " run " + run);
    }
  }

  private static boolean fires(Rule rule, double[] times) {
    long[] nanos = LongStream.range(0, times.length).map(i -> Math.round(times[(int) i] * SECOND)).sorted().toArray();
    TreeSet<Long> holding = new TreeSet<>();
    for (long t : nanos) {
      if (LongStream.of(nanos).filter(x -> x > t - rule.window && x <= t).count() >= rule.threshold) {
        holding.add(t);
      }
    }
    return !holding.isEmpty();
  }
}
