package tocsin.bench.kstreams;

/**
 * A decoded event: the fields that verification and the rules need. It is reused for every record, and holds the texts
 * of the signed fields in one block as JSON.stringify prints them, quotes included.
 */
final class Event {
  /** The signed fields in the order of the canonical string, and after them the address, which is none of them. */
  static final int ACTION = 0;

  static final int ORGANIZATION = 1;
  static final int OUTCOME = 2;
  static final int PRINCIPAL = 3;
  static final int STATUS = 4;
  static final int TARGET_ID = 5;
  static final int TARGET_TYPE = 6;
  static final int TIMESTAMP = 7;
  static final int SIGNED = 8;
  static final int ADDRESS = 8;
  private static final int TEXTS = 9;

  static final int ATTEMPT = 1;
  static final int SUCCESS = 2;
  static final int FAILURE = 3;

  final JsonText text = new JsonText();
  final int[] start = new int[TEXTS];
  final int[] end = new int[TEXTS]; // equal to start: absent

  String action;
  String outcome;
  String errorCode;
  String reasonCode;
  int status; // 0: unknown
  long time; // Unix nanoseconds
  double recordCount; // 0: none

  final HexText hash = new HexText();
  final HexText signature = new HexText();
  String hashAlgorithm;
  String algorithm;
  String keyId;

  Reason reason; // why the event is set aside; null: it is good

  void reset() {
    text.clear();
    for (int i = 0; i < TEXTS; i++) {
      start[i] = end[i] = 0;
    }
    action = outcome = errorCode = reasonCode = null;
    status = 0;
    time = 0;
    recordCount = 0;
    hash.length = signature.length = 0;
    hashAlgorithm = algorithm = keyId = null;
    reason = null;
  }

  boolean has(int field) {
    return end[field] > start[field];
  }

  /** Of several faults the first in the order of {@link Reason} is the one reason. */
  void fail(Reason why) {
    if (reason == null || why.ordinal() < reason.ordinal()) {
      reason = why;
    }
  }
}
