package deployment

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/processortest/kafkatest"
)

// The image of Kafka makes a setting of each variable KAFKA_A_B, a.b, and says nothing when there is no such setting: a
// real broker of that version is asked which there are.
func TestComposeKafkaSettings(t *testing.T) {
	_, c := compose(t)
	kafka := c.Services["kafka"]
	require.Equal(t, "docker.io/apache/kafka:"+kafkatest.Version, kafka.Image, "the version that the tests run against")
	cl, err := kgo.NewClient(kgo.SeedBrokers(kafkatest.Shared(t).Addrs()...))
	require.NoError(t, err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	brokers, err := adm.ListBrokers(t.Context())
	require.NoError(t, err)
	described, err := adm.DescribeBrokerConfigs(t.Context(), brokers.NodeIDs()...)
	require.NoError(t, err)
	known := map[string]bool{}
	for _, resource := range described {
		require.NoError(t, resource.Err)
		for _, setting := range resource.Configs {
			known[setting.Key] = true
		}
	}
	ofTheImage := []string{"CLUSTER_ID", "KAFKA_HEAP_OPTS"} // not settings of the broker
	for name := range kafka.Environment {
		setting := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "KAFKA_")), "_", ".")
		if !known[setting] {
			require.Contains(t, ofTheImage, name, "Kafka has no setting %s", setting)
		}
	}
}
