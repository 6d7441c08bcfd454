package provision

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"tocsin/processor/processortest/kafkatest"
	"tocsin/topics"
)

func TestMain(m *testing.M) { kafkatest.Main(m) }

// acl is the list entry of a right for User:u.
func acl(t *testing.T, r topics.Right) *kadm.ACLBuilder {
	t.Helper()
	b := kadm.NewACLs().ResourcePatternType(kadm.ACLPatternLiteral).Operations(codes[r.Operation]).Allow("User:u").
		AllowHosts("*")
	if r.Prefix {
		b = b.ResourcePatternType(kadm.ACLPatternPrefixed)
	}
	switch r.Type {
	case topics.ResourceTopic:
		return b.Topics(r.Name)
	case topics.ResourceGroup:
		return b.Groups(r.Name)
	}
	return b.TransactionalIDs(r.Name)
}

// Of all rights, with topics and without, exactly the one that was taken away is missing.
func TestMissing(t *testing.T) {
	broker := kafkatest.Start(t, kafkatest.Config{Security: &kafkatest.Security{
		Users: map[string]string{"u": "p"}, Authorizer: true,
	}, Patient: true})
	owner, err := kgo.NewClient(kgo.SeedBrokers(broker.AdminAddrs()...))
	require.NoError(t, err)
	defer owner.Close()
	admin := kadm.NewClient(owner)
	tls, err := broker.ClientTLS()
	require.NoError(t, err)
	cl, err := kgo.NewClient(append(RightsClientOptions(), kgo.SeedBrokers(broker.Addrs()...), kgo.DialTLSConfig(tls),
		kgo.SASL(scram.Auth{User: "u", Pass: "p"}.AsSha256Mechanism()))...)
	require.NoError(t, err)
	defer cl.Close()

	all := topics.Rights(topics.RightsConfig{App: "app", SinkGroup: "app-sink", CountersGroup: "app-counters", Names: topics.DefaultNames()},
		topics.Duties()...)
	set := func(r topics.Right, there bool) {
		t.Helper()
		if there {
			_, err = admin.CreateACLs(t.Context(), acl(t, r))
		} else {
			_, err = admin.DeleteACLs(t.Context(), acl(t, r))
		}
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			found, err := admin.DescribeACLs(context.Background(), acl(t, r))
			require.NoError(t, err)
			return len(found) > 0 && (len(found[0].Described) > 0) == there
		}, 30*time.Second, 5*time.Millisecond)
	}
	places, err := Missing(t.Context(), cl, all)
	require.NoError(t, err)
	require.NotEmpty(t, places, "nothing is granted yet")
	for _, r := range all {
		set(r, true)
	}
	for _, made := range []bool{false, true} {
		if made {
			_, err := admin.CreateTopics(t.Context(), 1, 1, nil, names(all, topics.ResourceTopic)...)
			require.NoError(t, err)
			require.NoError(t, WaitVisible(t.Context(), admin, names(all, topics.ResourceTopic)...))
		}
		for i, r := range all {
			if made == (r.Operation == topics.OpCreate) {
				continue // a topic that is there need not be created; of one that is not, little else is told
			}
			set(r, false)
			places, err := Missing(t.Context(), cl, all)
			require.NoError(t, err)
			if r.Operation != topics.OpWrite || r.Name != "app-offsets" { // the prefix allows it
				require.Equal(t, []int{i}, places, "%s, topics made: %v", r, made)
			}
			set(r, true)
		}
	}
}
