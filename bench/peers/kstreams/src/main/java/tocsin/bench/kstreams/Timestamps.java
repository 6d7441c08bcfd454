package tocsin.bench.kstreams;

import java.time.Instant;

/** Reads date-times of RFC 3339. java.time's formatter takes longer than all the rest of decoding. */
final class Timestamps {
  /** What {@link #parse} returns for a text that is none, or outside 1700 to 2261. */
  static final long BAD = Long.MIN_VALUE;

  private static final int PLAIN = "2006-01-02T15:04:05".length();
  private static final long MIN = -8_520_336_000L; // 1700-01-01T00:00:00Z
  private static final long MAX = 9_214_646_400L; // 2262-01-01T00:00:00Z, the first instant not accepted
  private static final int[] DAYS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

  private Timestamps() {}

  /** Returns Unix nanoseconds, or BAD. */
  static long parse(char[] s, int at, int length) {
    if (length < PLAIN || s[at + 4] != '-' || s[at + 7] != '-' || s[at + 13] != ':' || s[at + 16] != ':'
        || s[at + 10] != 'T' && s[at + 10] != 't' && s[at + 10] != ' ') {
      return BAD;
    }
    int century = two(s, at);
    int yy = two(s, at + 2);
    int month = two(s, at + 5);
    int day = two(s, at + 8);
    int hour = two(s, at + 11);
    int minute = two(s, at + 14);
    int second = two(s, at + 17);
    int year = 100 * century + yy;
    if ((century | yy | month | day | hour | minute | second) < 0 || month < 1 || month > 12 || day < 1
        || day > days(year, month) || hour > 23 || minute > 59 || second > 59) {
      return BAD;
    }
    int end = at + length;
    int i = at + PLAIN;
    long nanos = 0;
    if (i < end && s[i] == '.') {
      int first = ++i;
      for (long unit = 100_000_000; i < end && s[i] >= '0' && s[i] <= '9'; i++, unit /= 10) {
        nanos += unit * (s[i] - '0'); // digits beyond nanoseconds are cut off
      }
      if (i == first) {
        return BAD;
      }
    }
    int east = zone(s, i, end - i);
    if (east == Integer.MIN_VALUE) {
      return BAD;
    }
    long unix = epochDay(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - east;
    return unix < MIN || unix >= MAX ? BAD : unix * 1_000_000_000 + nanos;
  }

  /** Seconds east of UTC, or the least int. */
  private static int zone(char[] s, int at, int length) {
    if (length == 1 && (s[at] | 0x20) == 'z') {
      return 0;
    }
    if (length < 3 || s[at] != '+' && s[at] != '-') {
      return Integer.MIN_VALUE;
    }
    int hours = two(s, at + 1);
    int minutes =
        switch (length) {
          case 3 -> 0;
          case 5 -> two(s, at + 3);
          case 6 -> s[at + 3] == ':' ? two(s, at + 4) : -1;
          default -> -1;
        };
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
      return Integer.MIN_VALUE;
    }
    int east = hours * 3600 + minutes * 60;
    return s[at] == '-' ? -east : east;
  }

  private static int two(char[] s, int at) {
    int tens = s[at] - '0';
    int ones = s[at + 1] - '0';
    return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : 10 * tens + ones;
  }

  private static int days(int year, int month) {
    boolean leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : DAYS[month - 1];
  }

  /** Days since 1970-01-01 in the Gregorian calendar, for years from 0. */
  private static long epochDay(int year, int month, int day) {
    int y = month > 2 ? year : year - 1;
    int dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int era = Math.floorDiv(y, 400);
    int yearOfEra = y - era * 400;
    return era * 146_097L + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468;
  }

  /** The text of a time, for alerts. */
  static String format(long nanos) {
    return Instant.ofEpochSecond(Math.floorDiv(nanos, 1_000_000_000L), Math.floorMod(nanos, 1_000_000_000L))
        .toString();
  }
}
