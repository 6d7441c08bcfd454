package tocsin.bench.kstreams;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Checks the hash and the signature that an event states. Digest and Mac are made once per task and reused: looking
 * them up costs more than a signature.
 */
final class Verifier {
  private static final byte[][] PREFIXES = prefixes(
      "action:", "|organizationId:", "|outcomeDescription:", "|principalId:", "|status:", "|targetResourceId:",
      "|targetResourceType:", "|timestamp:");
  private static final byte[] NULL = "null".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] UNDEFINED = "undefined".getBytes(StandardCharsets.US_ASCII);

  private final MessageDigest digest;
  private final Mac mac;
  private final byte[] sum = new byte[32];
  private final JsonText canonical = new JsonText();
  private final HexText computed = new HexText();
  private final HexText signed = new HexText();

  Verifier(byte[] secret) {
    try {
      digest = MessageDigest.getInstance("SHA-256");
      mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(secret, "HmacSHA256"));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has SHA-256 and HMAC-SHA256", e);
    }
  }

  private static byte[][] prefixes(String... texts) {
    byte[][] bytes = new byte[texts.length][];
    for (int i = 0; i < texts.length; i++) {
      bytes[i] = texts[i].getBytes(StandardCharsets.US_ASCII);
    }
    return bytes;
  }

  /** The canonical string in UTF-8; it belongs to the verifier until the next call. */
  JsonText canonical(Event e) {
    canonical.clear();
    for (int i = 0; i < Event.SIGNED; i++) {
      canonical.append(PREFIXES[i]);
      if (e.has(i)) {
        canonical.append(e.text.bytes, e.start[i], e.end[i]);
      } else {
        boolean required = i == Event.ACTION || i == Event.STATUS || i == Event.TIMESTAMP;
        canonical.append(required ? UNDEFINED : NULL);
      }
    }
    return canonical;
  }

  /** SHA-256 of the canonical string; it belongs to the verifier until the next call. */
  HexText hash(Event e) {
    JsonText text = canonical(e);
    digest.update(text.bytes, 0, text.length);
    computed.set(finish());
    return computed;
  }

  private byte[] finish() {
    try {
      digest.digest(sum, 0, sum.length);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("the sum has room", e);
    }
    return sum;
  }

  /** HMAC-SHA256 of the digits of a hash; it belongs to the verifier until the next call. */
  HexText sign(HexText hash) {
    mac.update(hash.digits);
    try {
      mac.doFinal(sum, 0);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("the sum has room", e);
    }
    signed.set(sum);
    return signed;
  }

  /** Returns why the event is to be set aside; null: it counts. Events without hash or signature count. */
  Reason verify(Event e) {
    HexText right = hash(e);
    boolean hashed = e.hash.length > 0;
    boolean signature = e.signature.length > 0;
    if (!hashed && !signature) {
      return null;
    }
    if (other(e.hashAlgorithm, "SHA-256")) {
      return Reason.UNVERIFIABLE;
    }
    if (hashed && !e.hash.same(right)) {
      return Reason.TAMPERED;
    }
    if (!signature) {
      return null;
    }
    if (other(e.algorithm, "HMAC-SHA256") || e.keyId != null) {
      return Reason.UNVERIFIABLE;
    }
    return e.signature.same(sign(right)) ? null : Reason.FORGED;
  }

  private static boolean other(String stated, String known) {
    return stated != null && !stated.equals(known);
  }
}
