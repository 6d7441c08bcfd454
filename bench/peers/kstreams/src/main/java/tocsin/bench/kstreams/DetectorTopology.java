package tocsin.bench.kstreams;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** One sub-topology: input, detector with its store, two sinks. Bytes all the way: nothing is copied by a serde. */
final class DetectorTopology {
  private DetectorTopology() {}

  static Topology build(Settings s) {
    return build(s.input(), s.alerts(), s.deadLetters(), s.secret(), s.streams());
  }

  static Topology build(String input, String alerts, String deadLetters, byte[] secret, Properties config) {
    // A plain key-value store: one with timestamps would add 8 bytes to each value and take them off again.
    StoreBuilder<KeyValueStore<Bytes, byte[]>> windows =
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(Detector.STORE), Serdes.Bytes(), Serdes.ByteArray())
            // 64 MB segments as the product's changelog has; compacted when a fifth is dirty.
            .withLoggingEnabled(Map.of("segment.bytes", "67108864", "min.cleanable.dirty.ratio", "0.2"));
    // The record cache makes one RocksDB write and one changelog record of all updates of a key between two commits,
    // and answers the reads of hot keys. It is the right thing for a skewed key distribution.
    boolean cached = !"0".equals(config.getProperty(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG));
    windows = cached ? windows.withCachingEnabled() : windows.withCachingDisabled();
    ByteArraySerializer bytes = new ByteArraySerializer();
    return new Topology()
        .addSource("events", new ByteArrayDeserializer(), new ByteArrayDeserializer(), input)
        .addProcessor("detector", () -> new Detector(secret), "events")
        .addStateStore(windows, "detector")
        .addSink(Detector.ALERTS, alerts, bytes, bytes, "detector")
        .addSink(Detector.DEAD_LETTERS, deadLetters, bytes, bytes, "detector");
  }
}
