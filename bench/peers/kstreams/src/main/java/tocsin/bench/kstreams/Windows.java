package tocsin.bench.kstreams;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The window step of one key: all its rules' windows are one value of the store, so that an event costs one read and
 * one write however many rules count it. The value is worked on as it is stored, without objects:
 *
 * <pre>
 * mask of the rules that follow (1 byte), and for each, by ordinal:
 *   last holding point (8 bytes, Unix nanoseconds; the least long: none),
 *   number of times (2 bytes), times (8 bytes each, ascending)
 * </pre>
 *
 * A holding point is the time t of a match for which (t − window, t] holds the rule's threshold of matches. Times are
 * kept as long as they can be part of a window of an event that comes at most {@link #DISORDER} after a younger one,
 * and at most 2 × threshold − 1 of them: were there as many younger ones, those would hold by themselves. One per task.
 */
final class Windows {
  /** Producers' clocks and batches put events of one key out of order by about this much (nanoseconds). */
  static final long DISORDER = 2_000_000_000L;

  static final long NONE = Long.MIN_VALUE;

  private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);
  private static final int HEAD = 10; // bytes before a rule's times
  private static final byte[] EMPTY = {0};

  private final byte[] out = new byte[largest()];
  private int length;
  private final long[] crossing = new long[Rule.ALL.length];
  private final int[] count = new int[Rule.ALL.length];
  private int crossed;

  private static int largest() {
    int n = 1;
    for (Rule rule : Rule.ALL) {
      n += HEAD + 8 * 2 * rule.threshold;
    }
    return n;
  }

  /** The rules that alert by the last step, as bits. */
  int crossed() {
    return crossed;
  }

  /** The holding point at which the rule alerts by the last step. */
  long crossing(Rule rule) {
    return crossing[rule.ordinal()];
  }

  /** The number of matches in the window of that holding point that are remembered. */
  int count(Rule rule) {
    return count[rule.ordinal()];
  }

  /** Adds an event of time t that the rules in matched count, to a key's value (null: none) and returns the new one. */
  byte[] step(byte[] stored, int matched, long t) {
    byte[] old = stored == null ? EMPTY : stored;
    int mask = old[0];
    int at = 1;
    out[0] = (byte) (mask | matched);
    length = 1;
    crossed = 0;
    for (Rule rule : Rule.ALL) {
      int n = -1;
      if ((mask & rule.bit()) != 0) {
        n = (short) SHORT.get(old, at + 8);
      }
      if ((matched & rule.bit()) != 0) {
        add(rule, old, at, n, t);
      } else if (n >= 0) {
        System.arraycopy(old, at, out, length, HEAD + 8 * n);
        length += HEAD + 8 * n;
      }
      if (n >= 0) {
        at += HEAD + 8 * n;
      }
    }
    return Arrays.copyOf(out, length);
  }

  /** Writes the rule's part with t added; n is the number of times in the old part at that place, or −1 without one. */
  private void add(Rule rule, byte[] old, int at, int n, long t) {
    long held = n < 0 ? NONE : (long) LONG.get(old, at);
    int times = at + HEAD;
    n = Math.max(n, 0);
    int head = length;
    int to = head + HEAD;
    int kept = 0;
    if (rule.threshold == 1) {
      hold(rule, t, held, to, 0); // every match holds: no time need be kept
      held = Math.max(held, t);
    } else {
      long youngest = n == 0 ? t : Math.max(t, time(old, times, n - 1));
      int from = 0;
      while (from < n && time(old, times, from) <= youngest - rule.window - DISORDER) {
        from++;
      }
      int place = n;
      while (place > from && time(old, times, place - 1) > t) {
        place--;
      }
      if (n > 0) {
        System.arraycopy(old, times + 8 * from, out, to, 8 * (place - from));
        System.arraycopy(old, times + 8 * place, out, to + 8 * (place - from + 1), 8 * (n - place));
      }
      LONG.set(out, to + 8 * (place - from), t);
      kept = n - from + 1;
      held = holds(rule, to, kept, place - from, held);
      int most = 2 * rule.threshold - 1;
      if (kept > most) {
        System.arraycopy(out, to + 8 * (kept - most), out, to, 8 * most);
        kept = most;
      }
    }
    LONG.set(out, head, held);
    SHORT.set(out, head + 8, (short) kept);
    length = to + 8 * kept;
  }

  /** Looks for holding points among the windows that the time at place added is part of. */
  private long holds(Rule rule, int times, int n, int place, long held) {
    int last = Math.min(place + rule.threshold, n);
    for (int i = Math.max(place, rule.threshold - 1); i < last; i++) {
      long t = time(out, times, i);
      if (t - time(out, times, i - rule.threshold + 1) < rule.window) {
        hold(rule, t, held, times, i);
        held = Math.max(held, t);
      }
    }
    return held;
  }

  /** Notes the holding point t, the time at i, as a crossing unless the rule is silent on account of the one before. */
  private void hold(Rule rule, long t, long held, int times, int i) {
    if (held != NONE && t - held <= rule.cooldown || (crossed & rule.bit()) != 0) {
      return;
    }
    int first = i;
    while (first > 0 && t - time(out, times, first - 1) < rule.window) {
      first--;
    }
    crossed |= rule.bit();
    crossing[rule.ordinal()] = t;
    count[rule.ordinal()] = i - first + 1;
  }

  private static long time(byte[] b, int times, int i) {
    return (long) LONG.get(b, times + 8 * i);
  }
}
