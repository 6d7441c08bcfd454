package tocsin.bench.kstreams;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;

/**
 * Reads an event with Jackson's streaming parser: one pass, no tree, and no String for what is only hashed. Fields that
 * are not needed are skipped without being decoded. One per task.
 */
final class Decoder {
  private static final int MAX_BYTES = 1 << 20;
  private static final int MAX_DEPTH = 32;
  private static final long REQUIRED = 1 << Event.ACTION | 1 << Event.STATUS | 1 << Event.TIMESTAMP;

  private final JsonFactory json =
      JsonFactory.builder()
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
          .build();
  private final Event e;
  private long seen; // a bit for each field that is interpreted
  private boolean badTime;

  Decoder(Event event) {
    e = event;
  }

  /** Fills the event; its reason says whether it is to be set aside. */
  void decode(byte[] value) {
    e.reset();
    seen = 0;
    badTime = false;
    if (value == null || value.length > MAX_BYTES) {
      e.fail(value == null ? Reason.NOT_JSON : Reason.TOO_LARGE);
      return;
    }
    try (JsonParser p = json.createParser(value)) {
      if (p.nextToken() != JsonToken.START_OBJECT) {
        e.fail(Reason.NOT_JSON);
        return;
      }
      for (String name; (name = p.nextFieldName()) != null; ) {
        field(p, name);
      }
      if (p.nextToken() != null) {
        e.fail(Reason.NOT_JSON);
      }
    } catch (IOException bad) { // not JSON, not UTF-8 or too deep
      e.fail(Reason.NOT_JSON);
    }
    if ((seen & REQUIRED) != REQUIRED || e.action != null && e.action.isEmpty()) {
      e.fail(Reason.MISSING_FIELD);
    }
    if (badTime) {
      e.fail(Reason.BAD_TIMESTAMP);
    }
  }

  private void field(JsonParser p, String name) throws IOException {
    JsonToken token = p.nextToken();
    switch (name) {
      case "action" -> {
        signed(p, token, Event.ACTION, true);
        e.action = token == JsonToken.VALUE_STRING ? p.getText() : null;
      }
      case "organizationId" -> signed(p, token, Event.ORGANIZATION, false);
      case "outcomeDescription" -> {
        signed(p, token, Event.OUTCOME, false);
        e.outcome = token == JsonToken.VALUE_STRING ? p.getText() : null;
      }
      case "principalId" -> signed(p, token, Event.PRINCIPAL, false);
      case "status" -> {
        signed(p, token, Event.STATUS, true);
        if (token == JsonToken.VALUE_STRING) {
          status(p.getText());
        }
      }
      case "targetResourceId" -> signed(p, token, Event.TARGET_ID, false);
      case "targetResourceType" -> signed(p, token, Event.TARGET_TYPE, false);
      case "timestamp" -> {
        signed(p, token, Event.TIMESTAMP, true);
        if (token == JsonToken.VALUE_STRING) {
          long t = Timestamps.parse(p.getTextCharacters(), p.getTextOffset(), p.getTextLength());
          badTime = t == Timestamps.BAD;
          e.time = t;
        }
      }
      case "hash" -> hex(p, token, e.hash, 9);
      case "signature" -> hex(p, token, e.signature, 10);
      case "hashAlgorithm" -> e.hashAlgorithm = text(p, token, 11);
      case "algorithm" -> e.algorithm = text(p, token, 12);
      case "keyId" -> e.keyId = text(p, token, 13);
      case "errorCode" -> e.errorCode = text(p, token, 14);
      case "reasonCode" -> e.reasonCode = text(p, token, 15);
      case "recordCount" -> {
        if (token.isNumeric()) {
          once(16);
          e.recordCount = p.getDoubleValue();
        } else if (text(p, token, 16) != null) {
          e.fail(Reason.BAD_TYPE);
        }
      }
      case "sessionContext" -> session(p, token);
      default -> p.skipChildren();
    }
  }

  private void once(int bit) {
    if ((seen & 1L << bit) != 0) {
      e.fail(Reason.AMBIGUOUS_FIELD);
    }
    seen |= 1L << bit;
  }

  /** A signed field: its text goes into the block as JSON.stringify prints it; the last of several wins. */
  private void signed(JsonParser p, JsonToken token, int field, boolean required) throws IOException {
    if (token == JsonToken.VALUE_NULL && !required) {
      e.start[field] = e.end[field] = 0;
      return;
    }
    once(field);
    int from = e.text.length;
    if (token == JsonToken.VALUE_STRING) {
      int length = p.getTextLength();
      if (length > 0 || required) {
        e.text.quote(p.getTextCharacters(), p.getTextOffset(), length);
      }
    } else {
      boolean counts = Stringify.value(p, token, required, e.text);
      if (token == JsonToken.VALUE_NULL) {
        e.fail(Reason.MISSING_FIELD);
      } else if (counts) {
        e.fail(Reason.BAD_TYPE);
      }
    }
    e.start[field] = from;
    e.end[field] = e.text.length;
  }

  private void status(String text) {
    switch (text) {
      case "success" -> e.status = Event.SUCCESS;
      case "failure" -> e.status = Event.FAILURE;
      case "attempt" -> e.status = Event.ATTEMPT;
      default -> e.fail(Reason.BAD_TYPE);
    }
  }

  private void hex(JsonParser p, JsonToken token, HexText to, int bit) throws IOException {
    if (token == JsonToken.VALUE_STRING) {
      once(bit);
      to.set(p.getTextCharacters(), p.getTextOffset(), p.getTextLength());
    } else {
      text(p, token, bit);
    }
  }

  /** A text that may be absent; an empty one counts as such. */
  private String text(JsonParser p, JsonToken token, int bit) throws IOException {
    if (token == JsonToken.VALUE_NULL) {
      return null;
    }
    once(bit);
    if (token != JsonToken.VALUE_STRING) {
      p.skipChildren();
      e.fail(Reason.BAD_TYPE);
      return null;
    }
    return p.getTextLength() == 0 ? null : p.getText();
  }

  private void session(JsonParser p, JsonToken token) throws IOException {
    if (token != JsonToken.START_OBJECT) {
      if (text(p, token, 17) != null) {
        e.fail(Reason.BAD_TYPE);
      }
      return;
    }
    once(17);
    for (String name; (name = p.nextFieldName()) != null; ) {
      JsonToken value = p.nextToken();
      if (!name.equals("ipAddress")) {
        p.skipChildren();
      } else if (value == JsonToken.VALUE_STRING && p.getTextLength() > 0) {
        once(18);
        e.start[Event.ADDRESS] = e.text.length;
        e.text.quote(p.getTextCharacters(), p.getTextOffset(), p.getTextLength());
        e.end[Event.ADDRESS] = e.text.length;
      } else {
        text(p, value, 18);
      }
    }
  }
}
