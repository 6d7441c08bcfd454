package tocsin.bench.kstreams;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole program but the cluster, with RocksDB. */
class TopologyTest {
  @TempDir Path dir;

  private TopologyTestDriver driver;
  private TestInputTopic<byte[], byte[]> input;
  private TestOutputTopic<byte[], byte[]> alerts;
  private TestOutputTopic<byte[], byte[]> deadLetters;

  @BeforeEach
  void start() {
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, "test");
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:1");
    p.put(StreamsConfig.STATE_DIR_CONFIG, dir.toString());
    p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksSettings.class);
    byte[] secret = bytes("a secret of the test, 32 bytes or more");
    driver = new TopologyTestDriver(DetectorTopology.build("in", "out", "dead", secret, p), p);
    input = driver.createInputTopic("in", new ByteArraySerializer(), new ByteArraySerializer());
    alerts = driver.createOutputTopic("out", new ByteArrayDeserializer(), new ByteArrayDeserializer());
    deadLetters = driver.createOutputTopic("dead", new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  @AfterEach
  void stop() {
    driver.close();
  }

  private static byte[] bytes(String s) {
    return s.getBytes(StandardCharsets.UTF_8);
  }

  private static String login(String who, int second) {
    return String.format(
        "{\"timestamp\":\"2026-03-02T12:00:%02d.5+01:00\",\"action\":\"auth.login.failure\",\"status\":\"failure\","
            + "\"principalId\":%s,\"organizationId\":\"org-1\","
            + "\"sessionContext\":{\"a\":[1],\"ipAddress\":\"10.0.0.1\"}}",
        second, who);
  }

  @Test
  void aBurstGivesOneAlert() {
    for (int i = 0; i < 8; i++) {
      input.pipeInput(bytes("k"), bytes(login("\"J\\u00f6rg \\\"x\\\"\"", i)));
      input.pipeInput(bytes("k"), bytes(login("null", i)));
    }
    List<String> found =
        alerts.readRecordsToList().stream().map(r -> new String(r.value(), StandardCharsets.UTF_8)).toList();
    assertEquals(2, found.size());
    for (String alert : found) {
      assertTrue(alert.contains("\"rule\":{\"id\":\"failed-auth-burst\"},\"organization\":\"org-1\""), alert);
      assertTrue(alert.contains("\"crossing\":\"2026-03-02T11:00:04.500Z\",\"count\":5,\"threshold\":5"), alert);
    }
    assertTrue(found.get(0).contains("\"group\":{\"principal\":\"Jörg \\\"x\\\"\"}"), found.get(0));
    assertTrue(found.get(1).contains("\"group\":{\"ip\":\"10.0.0.1\"}"), found.get(1));
    assertTrue(deadLetters.isEmpty());
  }

  @Test
  void whatIsMalformedIsSetAside() {
    String good = login("\"x\"", 1);
    String[][] table = {
      {"not_json", good.substring(0, 100)},
      {"not_json", "[1]"},
      {"not_json", good + "x"},
      {"not_json", good.replace("[1]", "[".repeat(40) + "]".repeat(40))},
      {"not_json", good.replace("[1]", "\"\u0001\"")},
      {"too_large", good.replace("[1]", '"' + "x".repeat(1 << 20) + '"')},
      {"ambiguous_field", good.replace("\"action\"", "\"action\":\"other\",\"action\"")},
      {"missing_field", good.replace("\"status\":\"failure\",", "")},
      {"missing_field", good.replace("\"failure\"", "null")},
      {"bad_type", good.replace("\"failure\"", "\"maybe\"")},
      {"bad_type", good.replace("\"auth.login.failure\"", "17")},
      {"bad_timestamp", good.replace("-03-02T", "-02-30T")},
      {"bad_timestamp", good.replace("2026-", "1650-")},
      {"tampered", good.replace("\"status\"", "\"hash\":\"00\",\"status\"")},
      {"unverifiable", good.replace("\"status\"", "\"signature\":\"00\",\"algorithm\":\"RSA\",\"status\"")},
      {"forged", good.replace("\"status\"", "\"signature\":\"00\",\"status\"")},
    };
    for (String[] row : table) {
      input.pipeInput(bytes("k"), bytes(row[1]));
      TestRecord<byte[], byte[]> letter = deadLetters.readRecord();
      String reason = new String(letter.headers().lastHeader("tocsin-reason").value(), StandardCharsets.UTF_8);
      assertEquals(row[0], reason, row[1].substring(0, Math.min(300, row[1].length())));
      assertArrayEquals(bytes(row[1]), letter.value());
      assertEquals(6, letter.headers().toArray().length);
    }
    RecordHeaders tick = new RecordHeaders();
    tick.add("tocsin-tick", new byte[0]);
    input.pipeInput(new TestRecord<>(null, null, tick, 1L));
    assertTrue(deadLetters.isEmpty());
    assertTrue(alerts.isEmpty());
  }
}
