package tocsin.bench.kstreams;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Makes the records of the alerts and dead-letter topics. Both are rare. One per task. */
final class Output {
  private static final byte[] NO_TEXT = "\"\"".getBytes(StandardCharsets.US_ASCII);

  private final MessageDigest digest;
  private final JsonText json = new JsonText();

  Output() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  /** The record with its bytes untouched; headers say why it is set aside and where it comes from. */
  static Record<byte[], byte[]> deadLetter(Record<byte[], byte[]> in, RecordMetadata from, Reason why) {
    Record<byte[], byte[]> out = new Record<>(in.key(), in.value(), in.timestamp());
    out.headers()
        .add("tocsin-reason", why.name)
        .add("tocsin-error", why.error)
        .add("tocsin-origin-topic", utf8(from.topic()))
        .add("tocsin-origin-partition", utf8(Integer.toString(from.partition())))
        .add("tocsin-origin-offset", utf8(Long.toString(from.offset())))
        .add("tocsin-origin-timestamp", utf8(Long.toString(in.timestamp())));
    return out;
  }

  /** An alert, keyed by an id that follows from rule, group and crossing: a replay gives the same one. */
  Record<byte[], byte[]> alert(Event e, Group group, Rule rule, Windows windows, long recordTime) {
    String crossing = Timestamps.format(windows.crossing(rule));
    digest.update(utf8(rule.id));
    digest.update(group.bytes());
    byte[] sum = Arrays.copyOf(digest.digest(utf8(crossing)), 16);
    String id = HexFormat.of().formatHex(sum);
    json.clear();
    text("{\"schema\":1,\"id\":\"" + id + "\",\"state\":\"open\",\"rule\":{\"id\":\"" + rule.id
        + "\"},\"organization\":");
    field(e, Event.ORGANIZATION);
    text(",\"group\":{\"" + group.name() + "\":");
    field(e, group.field());
    text("},\"severity\":\"" + rule.severity + "\",\"crossing\":\"" + crossing + "\",\"count\":" + windows.count(rule)
        + ",\"threshold\":" + rule.threshold + "}");
    return new Record<>(utf8(id), Arrays.copyOf(json.bytes, json.length), recordTime);
  }

  private void field(Event e, int field) {
    if (field >= 0 && e.has(field)) {
      json.append(e.text.bytes, e.start[field], e.end[field]);
    } else {
      json.append(NO_TEXT);
    }
  }

  private void text(String s) {
    json.append(utf8(s));
  }

  private static byte[] utf8(String s) {
    return s.getBytes(StandardCharsets.UTF_8);
  }
}
