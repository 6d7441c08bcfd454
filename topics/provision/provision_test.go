package provision

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/topics"
)

func newAdmin(t *testing.T, opts ...kfake.Opt) *kadm.Client {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	// What this client was told of a topic it keeps for longer than anything here waits: it must not be believed.
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(time.Minute))
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
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
