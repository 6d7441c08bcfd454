package tocsin.bench.kstreams;

import java.util.Arrays;

/**
 * Whose events are counted together: the principal within the organisation; without one the address, else "unknown",
 * each in a name space of its own. Reused for every event of a task.
 */
final class Group {
  private final JsonText key = new JsonText();
  private int field = -1;

  /** Takes the event's group. Quotes end the texts, so no two groups have the same bytes. */
  void of(Event e) {
    field = e.has(Event.PRINCIPAL) ? Event.PRINCIPAL : e.has(Event.ADDRESS) ? Event.ADDRESS : -1;
    key.clear();
    key.append(e.text.bytes, e.start[Event.ORGANIZATION], e.end[Event.ORGANIZATION]);
    key.append((byte) name().charAt(0));
    if (field >= 0) {
      key.append(e.text.bytes, e.start[field], e.end[field]);
    }
  }

  /** The store's key, a copy of its own. */
  byte[] bytes() {
    return Arrays.copyOf(key.bytes, key.length);
  }

  /** The name space. */
  String name() {
    return field == Event.PRINCIPAL ? "principal" : field == Event.ADDRESS ? "ip" : "unknown";
  }

  /** The event's field that has the value; −1: none. */
  int field() {
    return field;
  }
}
