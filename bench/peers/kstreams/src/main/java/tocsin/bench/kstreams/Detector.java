package tocsin.bench.kstreams;

import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** The one processor: a record in; windows, alerts and dead letters out. */
final class Detector implements Processor<byte[], byte[], byte[], byte[]> {
  static final String STORE = "windows";
  static final String ALERTS = "alerts";
  static final String DEAD_LETTERS = "dead-letters";

  private static final String TICK = "tocsin-tick"; // marks a record that is no event

  private final Event event = new Event();
  private final Decoder decoder = new Decoder(event);
  private final Rules rules = new Rules();
  private final Windows windows = new Windows();
  private final Group group = new Group();
  private final Output output = new Output();
  private final Verifier verifier;
  private ProcessorContext<byte[], byte[]> context;
  private KeyValueStore<Bytes, byte[]> store;

  Detector(byte[] secret) {
    verifier = new Verifier(secret);
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> to) {
    context = to;
    store = to.getStateStore(STORE);
  }

  @Override
  public void process(Record<byte[], byte[]> in) {
    if (in.value() == null && in.headers().lastHeader(TICK) != null) {
      return;
    }
    decoder.decode(in.value());
    Reason why = event.reason != null ? event.reason : verifier.verify(event);
    if (why != null) {
      context.forward(Output.deadLetter(in, context.recordMetadata().orElseThrow(), why), DEAD_LETTERS);
      return;
    }
    int matched = rules.match(event);
    if (matched == 0) {
      return; // no state is read or written
    }
    group.of(event);
    Bytes key = Bytes.wrap(group.bytes());
    store.put(key, windows.step(store.get(key), matched, event.time));
    int crossed = windows.crossed();
    if (crossed == 0) {
      return;
    }
    for (Rule rule : Rule.ALL) {
      if ((crossed & rule.bit()) != 0) {
        context.forward(output.alert(event, group, rule, windows, in.timestamp()), ALERTS);
      }
    }
  }
}
