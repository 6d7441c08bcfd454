package state

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the store's own counters and what Pebble tells when asked.
type metrics struct {
	reg      prometheus.Registerer
	all      []prometheus.Collector
	batches  prometheus.Counter
	changes  prometheus.Counter
	restored *prometheus.CounterVec
}

func newMetrics(s *Store, reg prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "tocsin", Subsystem: "state", Name: name, Help: help}
	}
	m := &metrics{
		reg:     reg,
		batches: prometheus.NewCounter(opts("applied_partitions_total", "Partitions applied, summed over transactions.")),
		changes: prometheus.NewCounter(opts("applied_changes_total", "Changes applied.")),
		restored: prometheus.NewCounterVec(
			opts("restored_records_total", "Changelog records read by restores."), []string{"mode"}),
	}
	m.all = []prometheus.Collector{m.batches, m.changes, m.restored, pebbleCollector{s}}
	if reg == nil {
		return m, nil
	}
	for i, c := range m.all {
		if err := reg.Register(c); err != nil {
			m.all = m.all[:i]
			m.unregister()
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) unregister() {
	if m.reg == nil {
		return
	}
	for _, c := range m.all {
		m.reg.Unregister(c)
	}
}

func (m *metrics) applied(changes int) {
	m.batches.Inc()
	m.changes.Add(float64(changes))
}

// pebbleCollector reads Pebble's metrics when they are collected.
type pebbleCollector struct{ s *Store }

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("tocsin_state_"+name, help, nil, nil)
}

var (
	descDisk      = desc("disk_bytes", "Bytes on disk, write-ahead log included.")
	descMemTable  = desc("memtable_bytes", "Bytes in memtables, flushed ones in use included.")
	descCache     = desc("cache_bytes", "Bytes in the block cache.")
	descHits      = desc("cache_hits_total", "Blocks found in the cache.")
	descMisses    = desc("cache_misses_total", "Blocks read from disk.")
	descReadAmp   = desc("read_amplification", "Places a read may have to look at.")
	descDebt      = desc("compaction_debt_bytes", "Bytes to compact until the tree is in shape.")
	descL0        = desc("l0_sublevels", "Sublevels of level 0; writes stop at 24.")
	descFlushes   = desc("flushes_total", "Memtables flushed.")
	descWAL       = desc("wal_bytes_total", "Bytes written to the write-ahead log.")
	descTombstone = desc("tombstones", "Deletion marks not yet compacted away.")
	descLeases    = desc("leases", "Partitions held.")
	descCorrupt   = desc("corruptions_total", "Times a damaged block or file was met on disk.")
	descDamages   = desc("damages_total", "Partitions found damaged on disk, each to be restored in full.")
	descDamaged   = desc("damaged_partitions", "Partitions that are damaged on disk and not restored yet.")
	descAside     = desc("set_aside", "1: the store was damaged as a whole at the start and was put aside.")
)

func (c pebbleCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descDisk, descMemTable, descCache, descHits, descMisses, descReadAmp, descDebt,
		descL0, descFlushes, descWAL, descTombstone, descLeases, descCorrupt, descDamages, descDamaged, descAside} {
		ch <- d
	}
}

func (c pebbleCollector) Collect(ch chan<- prometheus.Metric) {
	if c.s.enter() != nil {
		return // closing
	}
	defer c.s.exit()
	m := c.s.db.Metrics()
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	count := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(descDisk, float64(m.DiskSpaceUsage()))
	gauge(descMemTable, float64(m.MemTable.Size)+float64(m.MemTable.ZombieSize))
	gauge(descCache, float64(m.BlockCache.Size))
	count(descHits, float64(m.BlockCache.Hits))
	count(descMisses, float64(m.BlockCache.Misses))
	gauge(descReadAmp, float64(m.ReadAmp()))
	gauge(descDebt, float64(m.Compact.EstimatedDebt))
	gauge(descL0, float64(m.Levels[0].Sublevels))
	count(descFlushes, float64(m.Flush.Count))
	count(descWAL, float64(m.WAL.BytesWritten))
	gauge(descTombstone, float64(m.Keys.TombstoneCount))
	c.s.mu.Lock()
	leases, damages, damaged := len(c.s.leases), c.s.damages, len(c.s.damaged)
	c.s.mu.Unlock()
	gauge(descLeases, float64(leases))
	count(descCorrupt, float64(c.s.corruptions.Load()))
	count(descDamages, float64(damages))
	gauge(descDamaged, float64(damaged))
	aside := 0.0
	if c.s.wasSetAside {
		aside = 1
	}
	gauge(descAside, aside)
}
