package tocsin.bench.kstreams;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;

/**
 * What the program is told by environment variables, and the settings of Kafka Streams with the reason of each.
 *
 * @param input topic of events
 * @param alerts topic of alerts
 * @param deadLetters topic of events set aside
 * @param secret HMAC key
 * @param streams settings of Kafka Streams
 */
record Settings(String input, String alerts, String deadLetters, byte[] secret, Properties streams) {

  /** Reads KSTREAMS_* variables; an absent one is an error that names it. */
  static Settings of(Map<String, String> env) {
    Properties p = tuned(Integer.parseInt(need(env, "COMMIT_MS")));
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, need(env, "APP"));
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, need(env, "BROKERS"));
    p.put(StreamsConfig.STATE_DIR_CONFIG, need(env, "STATE_DIR"));
    try {
      p.load(new StringReader(env.getOrDefault("KSTREAMS_SET", ""))); // lines of a properties file, over what is above
    } catch (IOException e) {
      throw new IllegalArgumentException("KSTREAMS_SET", e);
    }
    byte[] secret = need(env, "SECRET").getBytes(StandardCharsets.UTF_8);
    return new Settings(need(env, "INPUT"), need(env, "ALERTS"), need(env, "DEADLETTER"), secret, p);
  }

  private static String need(Map<String, String> env, String name) {
    String value = env.get("KSTREAMS_" + name);
    if (value == null || value.isEmpty()) {
      throw new IllegalArgumentException("the environment variable KSTREAMS_" + name + " is not set");
    }
    return value;
  }

  private static Properties tuned(int commitMillis) {
    Properties p = new Properties();
    // The guarantee and the rhythm that are compared: these two are no matter of taste.
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commitMillis);

    // While a thread waits for its commit others work: more threads than cores. Each has a transaction of its own.
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 4);
    // Room for all keys that are touched between two commits and the hot ones besides.
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128 << 20);
    p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksSettings.class);
    // Records are handed to tasks in larger portions: fewer pauses and resumptions of partitions.
    p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5000);
    p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 4000);
    p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
    p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.FETCH_MAX_BYTES_CONFIG), 16 << 20);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.RECEIVE_BUFFER_CONFIG), 1 << 20);

    // Changelog records of one commit go out in few large batches. A commit flushes, so waiting longer delays nothing.
    p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), commitMillis);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64L << 20);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.SEND_BUFFER_CONFIG), 1 << 20);
    // Broker and program share the cores: compressing costs more than it saves.
    p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "none");
    // The default of 10 s aborts transactions on a machine that is starved for a while.
    p.put(StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG), 60_000);

    // Static membership: a restart gets its partitions back without waiting for the session to end.
    p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), "kstreams");
    p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 60_000);
    p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG), 3_000);

    p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1); // the broker measured with is one
    // Nobody reads metrics: no reporters, and only those that are always kept.
    p.put(StreamsConfig.METRIC_REPORTER_CLASSES_CONFIG, "");
    p.put(StreamsConfig.METRICS_RECORDING_LEVEL_CONFIG, "INFO");
    p.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
    return p;
  }
}
