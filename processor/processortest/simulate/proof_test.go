package simulate

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor"
	"tocsin/processor/detect"
	"tocsin/processor/engine"
	"tocsin/processor/verify"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
	"tocsin/topics/provision"
)

func TestProof(t *testing.T) {
	for i := range 3 {
		began := time.Now()
		synctest.Test(t, proof)
		t.Log(i, time.Since(began))
	}
}

func proof(t *testing.T) {
	var nw kfake.VirtualNetwork
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(nw.Listen),
		kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0"}))
	require.NoError(t, err)
	defer c.Close()
	opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(nw.DialContext)}
	cl, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	specs, err := topics.Specs(topics.SpecConfig{
		App: "sim", Names: topics.DefaultNames(), InputPartitions: 2, ReplicationFactor: 1, MinISR: 1,
		InputMaxMessageBytes: 1 << 20, TrustCreateTime: true,
	})
	require.NoError(t, err)
	_, err = provision.Create(t.Context(), adm, specs, false)
	require.NoError(t, err)
	fmt.Println("created", time.Now())

	rules, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	v, err := verify.New(verify.Config{})
	require.NoError(t, err)
	eng, err := engine.New(engine.Config{Topic: "audit.events", Rules: rules, Verifier: v, Mode: topics.ModeLive, Ticks: true})
	require.NoError(t, err)
	fs := vfs.NewCrashableMem()
	store, err := state.Open(state.Config{FS: fs, Dir: "state", HeadIndex: window.HeadIndex, Now: time.Now, MemTableBytes: 1 << 20, CacheBytes: 1 << 20})
	require.NoError(t, err)
	var h slog.Handler = slog.DiscardHandler
	if os.Getenv("SIMLOG") != "" {
		h = slog.NewTextHandler(os.Stderr, nil)
	}
	points := map[processor.Point]int{}
	p, err := processor.New(processor.Config{
		App: "sim", Instance: "one", Kafka: opts, Engine: eng, Store: store, Log: slog.New(h), Workers: 1,
		Topics: processor.Topics{Input: "audit.events", Alerts: "audit.alerts", DeadLetter: "audit.deadletter",
			Changelog: "sim-window-changelog", Seals: "sim-seals"},
		TrustCreateTime: true,
		Probe:           func(at processor.Point, _ int32) { points[at]++ },
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	for i := range 20 {
		at := time.Now().UTC()
		err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "audit.events", Partition: int32(i % 2), Timestamp: at,
			Value: fmt.Appendf(nil, `{"id":"e%d","timestamp":%q,"action":"auth.login.failure","status":"failure","principalId":"ann"}`, i, at.Format(time.RFC3339))}).FirstErr()
		require.NoError(t, err)
		time.Sleep(time.Second)
	}
	at, err := adm.FetchOffsets(t.Context(), "sim")
	require.NoError(t, err)
	fmt.Println(at, time.Now())
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, store.Close())
	fmt.Println(points, time.Now())
}
