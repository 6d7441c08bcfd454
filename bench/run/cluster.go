package run

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/kafkatest"
)

// Cluster is the brokers that are measured against.
type Cluster struct {
	Brokers   []string
	PID       int  // of the broker's process, when it is one of ours, else 0
	InProcess bool // the broker is in this process: its work is counted as this one's

	end func()
}

// StartCluster gives a running cluster at address or, where that is empty, starts a broker: "real" (Apache Kafka, in a
// process of its own) or "kfake" (in this process).
func StartCluster(ctx context.Context, address, kafka string) (*Cluster, error) {
	switch {
	case address != "":
		return &Cluster{Brokers: []string{address}, end: func() {}}, nil
	case kafka == "kfake":
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{
			"group.initial.rebalance.delay.ms": "0"}))
		if err != nil {
			return nil, err
		}
		return &Cluster{Brokers: c.ListenAddrs(), InProcess: true, end: c.Close}, nil
	case kafka == "real":
		b, err := kafkatest.StartBroker(ctx, kafkatest.Config{HeapMB: 1024, LongLived: true, Patient: true})
		if err != nil {
			return nil, err
		}
		// Its folder is temporary.
		return &Cluster{Brokers: b.Addrs(), PID: b.PID(), end: func() { _ = b.Close() }}, nil
	}
	return nil, fmt.Errorf("-kafka %s: real or kfake", kafka)
}

// Close ends a broker that is ours.
func (c *Cluster) Close() { c.end() }

// Reach is how a cluster is reached.
func Reach(brokers []string) []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(brokers...)} }
