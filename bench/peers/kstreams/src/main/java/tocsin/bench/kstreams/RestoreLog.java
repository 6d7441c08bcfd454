package tocsin.bench.kstreams;

import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * Prints a line of JSON for each restore that read something, in the form of the product's log: partition, first offset,
 * offset after the last, number of records, time taken. Restores run on several threads.
 */
final class RestoreLog implements StateRestoreListener {
  private record Begin(long nanos, long from, long until) {}

  private final Map<TopicPartition, Begin> begun = new ConcurrentHashMap<>();

  @Override
  public void onRestoreStart(TopicPartition partition, String store, long from, long until) {
    begun.put(partition, new Begin(System.nanoTime(), from, until));
  }

  @Override
  public void onBatchRestored(TopicPartition partition, String store, long offset, long records) {}

  @Override
  public void onRestoreEnd(TopicPartition partition, String store, long records) {
    Begin begin = begun.remove(partition);
    if (begin != null && records > 0) { // a first start has nothing to tell
      System.out.printf(
          "{\"time\":\"%s\",\"msg\":\"restored\",\"partition\":%d,\"from\":%d,\"until\":%d,\"records\":%d,\"took\":\"%dns\"}%n",
          Instant.now(), partition.partition(), begin.from, begin.until, records, System.nanoTime() - begin.nanos);
    }
  }
}
