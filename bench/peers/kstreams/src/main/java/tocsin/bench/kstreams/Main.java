package tocsin.bench.kstreams;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs the program until it is told to end by a signal (then with status 0) or fails (with status 1). */
public final class Main {
  private static final Duration PATIENCE = Duration.ofSeconds(40);

  private Main() {}

  /** Takes no arguments: see {@link Settings}. */
  public static void main(String[] args) throws InterruptedException {
    Settings settings;
    try {
      settings = Settings.of(System.getenv());
    } catch (IllegalArgumentException e) {
      System.err.println("kstreams: " + e.getMessage());
      System.exit(2);
      return;
    }
    KafkaStreams streams = new KafkaStreams(DetectorTopology.build(settings), settings.streams());
    streams.setGlobalStateRestoreListener(new RestoreLog());
    CountDownLatch failed = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        e -> {
          e.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.ERROR) {
            failed.countDown();
          }
        });
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  boolean closed = streams.close(PATIENCE); // commits what is done
                  // A Java machine that a signal ends has the signal's status, and this end is a good one.
                  Runtime.getRuntime().halt(closed && failed.getCount() > 0 ? 0 : 1);
                }));
    streams.start();
    failed.await();
    System.exit(1);
  }
}
