package tocsin.bench.kstreams;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.RocksDB;
import org.rocksdb.WriteBufferManager;

/**
 * Bounds RocksDB's memory over all stores together, one per task: one block cache, and the memtables are charged to it.
 * By default each store has 50 MB of cache and three memtables of 16 MB.
 */
public final class RocksSettings implements RocksDBConfigSetter {
  private static final long MEMTABLES = 128L << 20;
  private static final long TOTAL = 256L << 20;

  // Of the process, as long as it lives: closing a store must not close them.
  private static final Cache CACHE;
  private static final WriteBufferManager BUFFERS;

  static {
    RocksDB.loadLibrary();
    CACHE = new LRUCache(TOTAL, -1, false, 0.1);
    BUFFERS = new WriteBufferManager(MEMTABLES, CACHE);
  }

  @Override
  public void setConfig(String store, Options options, Map<String, Object> configs) {
    BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
    table.setBlockCache(CACHE);
    // Index and filter blocks count too, and stay in memory while anything does.
    table.setCacheIndexAndFilterBlocks(true);
    table.setCacheIndexAndFilterBlocksWithHighPriority(true);
    table.setPinL0FilterAndIndexBlocksInCache(true);
    options.setTableFormatConfig(table);
    options.setWriteBufferManager(BUFFERS);
    // Updates of hot keys meet in the memtable; there is no log to replay, so a large one costs memory alone.
    options.setWriteBufferSize(16L << 20);
    options.setMaxWriteBufferNumber(3);
    // One core's worth of flushes and compactions beside the stream threads.
    options.setMaxBackgroundJobs(2);
  }

  @Override
  public void close(String store, Options options) {
    // The shared objects are the process's.
  }
}
