package tocsin.bench.kstreams;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Bytes that grow, with strings written as JavaScript's JSON.stringify writes them (ECMA-262, QuoteJSONString). */
final class JsonText {
  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
  private static final int KEEP = 64 << 10; // after a large event the memory is given back

  byte[] bytes = new byte[1024];
  int length;

  void clear() {
    length = 0;
    if (bytes.length > KEEP) {
      bytes = new byte[1024];
    }
  }

  private void room(int more) {
    if (bytes.length - length < more) {
      bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, length + more));
    }
  }

  void append(byte[] other, int from, int to) {
    room(to - from);
    System.arraycopy(other, from, bytes, length, to - from);
    length += to - from;
  }

  void append(byte one) {
    room(1);
    bytes[length++] = one;
  }

  void append(byte[] other) {
    append(other, 0, other.length);
  }

  /** Appends a string with its quotes; unpaired surrogates become escapes, all else stays as it is. */
  void quote(char[] chars, int offset, int count) {
    room(6 * count + 2);
    byte[] b = bytes;
    int n = length;
    b[n++] = '"';
    for (int i = offset, end = offset + count; i < end; i++) {
      char c = chars[i];
      if (c < 0x80) {
        if (c >= ' ' && c != '"' && c != '\\') {
          b[n++] = (byte) c;
        } else {
          n = escape(b, n, c);
        }
      } else if (c < 0x800) {
        b[n++] = (byte) (0xC0 | c >> 6);
        b[n++] = (byte) (0x80 | c & 0x3F);
      } else if (!Character.isSurrogate(c)) {
        b[n++] = (byte) (0xE0 | c >> 12);
        b[n++] = (byte) (0x80 | c >> 6 & 0x3F);
        b[n++] = (byte) (0x80 | c & 0x3F);
      } else if (Character.isHighSurrogate(c) && i + 1 < end && Character.isLowSurrogate(chars[i + 1])) {
        int rune = Character.toCodePoint(c, chars[++i]);
        b[n++] = (byte) (0xF0 | rune >> 18);
        b[n++] = (byte) (0x80 | rune >> 12 & 0x3F);
        b[n++] = (byte) (0x80 | rune >> 6 & 0x3F);
        b[n++] = (byte) (0x80 | rune & 0x3F);
      } else {
        n = unicode(b, n, c);
      }
    }
    b[n++] = '"';
    length = n;
  }

  private static int escape(byte[] b, int n, char c) {
    int letter =
        switch (c) {
          case '"', '\\' -> c;
          case '\b' -> 'b';
          case '\t' -> 't';
          case '\n' -> 'n';
          case '\f' -> 'f';
          case '\r' -> 'r';
          default -> 0;
        };
    if (letter == 0) {
      return unicode(b, n, c);
    }
    b[n++] = '\\';
    b[n++] = (byte) letter;
    return n;
  }

  private static int unicode(byte[] b, int n, char c) {
    b[n++] = '\\';
    b[n++] = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) {
      b[n++] = HEX[c >> shift & 15];
    }
    return n;
  }
}
