package tocsin.bench.kstreams;

import java.security.MessageDigest;

/** A SHA-256 digest as 64 lower-case hex digits, stated or computed, in memory that is reused. */
final class HexText {
  static final int LENGTH = 64;
  private static final byte[] DIGITS = "0123456789abcdef".getBytes(java.nio.charset.StandardCharsets.US_ASCII);

  final byte[] digits = new byte[LENGTH];
  int length; // of the stated text; 0: absent; anything but 64 is wrong

  void set(char[] chars, int offset, int count) {
    length = count;
    if (count != LENGTH) {
      return;
    }
    for (int i = 0; i < LENGTH; i++) {
      char c = chars[offset + i];
      digits[i] = c < 0x80 ? (byte) c : 0;
    }
  }

  // HexFormat makes a String and its bytes of every digest; this writes them in place.
  void set(byte[] sum) {
    length = LENGTH;
    for (int i = 0; i < LENGTH / 2; i++) {
      digits[2 * i] = DIGITS[sum[i] >> 4 & 15];
      digits[2 * i + 1] = DIGITS[sum[i] & 15];
    }
  }

  /** Compares in constant time. */
  boolean same(HexText other) {
    return length == LENGTH && other.length == LENGTH && MessageDigest.isEqual(digits, other.digits);
  }
}
