package provision

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/topics"
)

func newAdmin(t *testing.T, opts ...kfake.Opt) *kadm.Client {
	t.Helper()
	adm, _ := newCluster(t, opts...)
	return adm
}

func newCluster(t *testing.T, opts ...kfake.Opt) (*kadm.Client, *kfake.Cluster) {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	// What this client was told of a topic it keeps for longer than anything here waits: it must not be believed.
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(time.Minute))
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl), c
}

func specs(t *testing.T) []topics.Spec {
	t.Helper()
	s, err := topics.Specs(topics.SpecConfig{
		App: "app", Names: topics.DefaultNames(), InputPartitions: 3, ReplicationFactor: 1, MinISR: 1,
		InputMaxMessageBytes: 1 << 20,
	})
	require.NoError(t, err)
	return s
}

// What Create makes, Check has nothing to say about; made twice, it is left alone.
func TestCreateAndCheck(t *testing.T) {
	adm, want := newAdmin(t), specs(t)
	created, err := Create(t.Context(), adm, want, true)
	require.NoError(t, err)
	require.Len(t, created, len(want))
	found, err := Check(t.Context(), adm, want)
	require.NoError(t, err)
	require.Len(t, found, len(want), "a dry run makes nothing")
	for _, isNew := range []bool{true, false} {
		created, err = Create(t.Context(), adm, want, false)
		require.NoError(t, err)
		for _, c := range created {
			require.Equal(t, isNew, c.New, c.Name)
		}
		found, err = Check(t.Context(), adm, want)
		require.NoError(t, err)
		require.Empty(t, found)
	}
	value := "delete"
	_, err = adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "cleanup.policy", Value: &value}},
		"app-window-changelog")
	require.NoError(t, err)
	found, err = Check(t.Context(), adm, want)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "cleanup.policy", found[0].What)
	require.Contains(t, found[0].Remedy, "app-window-changelog")
}

// Brokers that have just started are waited for; a replication factor that cannot be had is not.
func TestCreateOnFencedBrokers(t *testing.T) {
	adm, c := newCluster(t)
	answer := func(text string) {
		c.ControlKey(kmsg.CreateTopics.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			resp := r.ResponseKind().(*kmsg.CreateTopicsResponse)
			one := kmsg.NewCreateTopicsResponseTopic()
			one.Topic = r.(*kmsg.CreateTopicsRequest).Topics[0].Topic
			one.ErrorCode, one.ErrorMessage = kerr.InvalidReplicationFactor.Code, &text
			resp.Topics = append(resp.Topics, one)
			return resp, nil, true
		})
	}
	answer("Unable to replicate the partition 3 time(s): only 1 broker(s) are registered.")
	_, err := Create(t.Context(), adm, specs(t), false)
	require.ErrorContains(t, err, "only 1 broker(s)")
	answer("Unable to replicate the partition 1 time(s): All brokers are currently fenced.")
	created, err := Create(t.Context(), adm, specs(t), false)
	require.NoError(t, err)
	require.True(t, created[0].New)
}

func TestInput(t *testing.T) {
	adm := newAdmin(t)
	_, _, err := Input(t.Context(), adm, "audit.events")
	require.ErrorIs(t, err, ErrMissing)
	_, err = Create(t.Context(), adm, Only(specs(t), topics.RoleInput), false)
	require.NoError(t, err)
	d, largest, err := Input(t.Context(), adm, "audit.events")
	require.NoError(t, err)
	require.Equal(t, int32(3), d.Partitions)
	require.Equal(t, 1<<20, largest)
	require.NotZero(t, d.ID)
}

func TestTransactionVersion(t *testing.T) {
	v, err := TransactionVersion(t.Context(), newAdmin(t))
	require.NoError(t, err)
	require.GreaterOrEqual(t, v, int16(2))
	v, err = TransactionVersion(t.Context(), newAdmin(t, kfake.MaxVersions(kversion.V3_9_0())))
	require.NoError(t, err)
	require.Less(t, v, int16(2))
}
