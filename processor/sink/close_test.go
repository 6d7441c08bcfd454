package sink

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A rebalance waits for a member that has died, until its session ends. A sink that is to stop does not wait with it.
func TestStopsDuringRebalance(t *testing.T) {
	e := newEnv(t)
	cfg := e.config()
	cfg.Instance = "one"
	one := e.start(cfg)
	eventually(t, func() bool { return one.Health().OK }, "the first sink works")

	dead, err := kgo.NewClient(append(e.kafka(), kgo.ConsumerGroup(cfg.Group), kgo.InstanceID("dead"),
		kgo.ConsumeTopics(alertsTopic), kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit())...)
	require.NoError(t, err)
	eventually(t, func() bool { return e.groupState(cfg.Group) == "Stable" && e.groupSize(cfg.Group) == 2 }, "two members")
	dead.Close() // a static member does not say goodbye

	other := e.config()
	other.Instance = "two"
	two := e.start(other)
	eventually(t, func() bool { return e.groupState(cfg.Group) == "PreparingRebalance" }, "a rebalance")
	for _, s := range []*running{one, two} {
		s.stop()
		select {
		case <-s.done:
			require.NoError(t, s.err)
		case <-time.After(10 * time.Second):
			t.Fatal("the sink waits for a rebalance although it is to stop")
		}
	}
}

func (e *env) groupState(group string) string {
	described, err := e.adm.DescribeGroups(context.Background(), group)
	require.NoError(e.t, err)
	return described[group].State
}

func (e *env) groupSize(group string) int {
	described, err := e.adm.DescribeGroups(context.Background(), group)
	require.NoError(e.t, err)
	return len(described[group].Members)
}

// What the group waits for a silent sink is what was asked for, in a rebalance too.
func TestSession(t *testing.T) {
	e := newEnv(t)
	joined := make(chan *kmsg.JoinGroupRequest, 16)
	e.cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		e.cluster.KeepControl()
		select {
		case joined <- r.(*kmsg.JoinGroupRequest):
		default:
		}
		return nil, nil, false //nolint:nilnil // how kfake is told to go on
	})
	cfg := e.config()
	cfg.Session, cfg.Heartbeat = 7*time.Second, time.Second
	x := e.start(cfg)
	eventually(t, func() bool { return x.Health().OK }, "the sink works")
	request := <-joined
	require.EqualValues(t, 7000, request.SessionTimeoutMillis)
	require.EqualValues(t, 7000, request.RebalanceTimeoutMillis)
}
