package tocsin.bench.kstreams;

import java.nio.charset.StandardCharsets;

/** Why a record was set aside, in the order in which the checks are made. */
enum Reason {
  TOO_LARGE("too_large", "the value is over 1 MiB"),
  NOT_JSON("not_json", "the value is not one JSON object in UTF-8, at most 32 levels deep"),
  AMBIGUOUS_FIELD("ambiguous_field", "a field that is interpreted occurs twice"),
  MISSING_FIELD("missing_field", "timestamp, action or status is missing"),
  BAD_TYPE("bad_type", "a field has the wrong JSON type or a value that is not in its list"),
  BAD_TIMESTAMP("bad_timestamp", "the timestamp is not RFC 3339 or outside 1700 to 2261"),
  TAMPERED("tampered", "field hash is not the event's canonical hash"),
  FORGED("forged", "field hash is right but field signature is not"),
  UNVERIFIABLE("unverifiable", "the algorithm or the key is unknown");

  final byte[] name;
  final byte[] error;

  Reason(String name, String error) {
    this.name = name.getBytes(StandardCharsets.UTF_8);
    this.error = error.getBytes(StandardCharsets.UTF_8);
  }
}
