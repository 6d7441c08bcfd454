package tocsin.bench.kstreams;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Canonical string, hash and signature of the shared vectors: made by the producers' own code. */
class VectorsTest {
  @Test
  void canonicalHashAndSignature() throws IOException {
    Path root = Path.of("").toAbsolutePath();
    while (root != null && !Files.exists(root.resolve("go.mod"))) {
      root = root.getParent();
    }
    assumeTrue(root != null, "not in a checkout");
    Path file = root.resolveSibling("shared").resolve("vectors/canonical-hash.jsonl");
    assumeTrue(Files.exists(file), file + " is not there");
    int cases = 0;
    for (String line : Files.readString(file).split("\n")) {
      check(line.getBytes(StandardCharsets.UTF_8));
      cases++;
    }
    assertEquals(37, cases);
  }

  private static void check(byte[] line) throws IOException {
    Map<String, String> texts = new HashMap<>();
    byte[] json = null;
    try (JsonParser p = new JsonFactory().createParser(line)) {
      p.nextToken();
      for (String name; (name = p.nextFieldName()) != null; ) {
        if (p.nextToken() == JsonToken.START_OBJECT) {
          int from = (int) p.currentTokenLocation().getByteOffset();
          p.skipChildren();
          json = Arrays.copyOfRange(line, from, (int) p.currentLocation().getByteOffset());
        } else {
          texts.put(name, p.getText());
        }
      }
    }
    String name = texts.get("name");
    Event event = new Event();
    new Decoder(event).decode(json); // some are refused; their canonical string is right all the same
    Verifier verifier = new Verifier(texts.get("secret").getBytes(StandardCharsets.UTF_8));
    JsonText canonical = verifier.canonical(event);
    assertEquals(
        texts.get("canonical"), new String(canonical.bytes, 0, canonical.length, StandardCharsets.UTF_8), name);
    HexText hash = verifier.hash(event);
    assertEquals(texts.get("hash"), text(hash), name);
    assertEquals(texts.get("signature"), text(verifier.sign(hash)), name);

    // The same stated by the event is verified.
    set(event.hash, texts.get("hash"));
    set(event.signature, texts.get("signature"));
    assertEquals(null, verifier.verify(event), name);
    set(event.signature, texts.get("hash"));
    assertEquals(Reason.FORGED, verifier.verify(event), name);
    set(event.hash, texts.get("hash").toUpperCase(java.util.Locale.ROOT));
    assertEquals(Reason.TAMPERED, verifier.verify(event), name);
    assertTrue(event.hash.length > 0);
  }

  private static void set(HexText to, String text) {
    to.set(text.toCharArray(), 0, text.length());
  }

  private static String text(HexText hex) {
    return new String(hex.digits, StandardCharsets.US_ASCII);
  }
}
