package program

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Application is what the processes of one application have in common.
type Application struct {
	ID         string
	Brokers    []string
	DSN        string // of the database
	Partitions int    // of the input
	Cluster    string // more of the section kafka of the configuration, its lines indented by two
	Extra      string // more sections
}

// Member is what a process has of its own.
type Member struct {
	Instance string
	Dir      string // its data are in Dir/data
	HTTP     string // where it listens
}

// Input is the topic of the events.
func (a *Application) Input() string { return a.ID + "-events" }

// Alerts is the topic of the alerts.
func (a *Application) Alerts() string { return a.ID + "-alerts" }

// DeadLetters is the topic of the dead letters.
func (a *Application) DeadLetters() string { return a.ID + "-deadletter" }

// Changelog is the topic of the state's changes.
func (a *Application) Changelog() string { return a.ID + "-window-changelog" }

// Data is the folder of a process's state and all else that it keeps.
func (m *Member) Data() string { return filepath.Join(m.Dir, "data") }

// Kafka is how the cluster is reached.
func (a *Application) Kafka() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(a.Brokers...)} }

// Configuration is the text of a process's configuration file: one broker's replicas, record times of the producers,
// ticks, a log that [Lines] reads.
func (a *Application) Configuration(m *Member) []byte {
	return fmt.Appendf(nil, `
app: {id: %[1]s, instance: %[8]s, data_dir: %[2]q}
kafka:
  brokers: ["%[3]s"]
  replication_factor: 1
  min_insync_replicas: 1
%[9]s
topics: {input: %[1]s-events, alerts: %[1]s-alerts, deadletter: %[1]s-deadletter, partitions: %[4]d}
input: {ticks: true, trust_create_time: true}
postgres: {url: %[5]q}
http: {listen: %[6]q}
log: {format: json}
%[7]s`, a.ID, m.Data(), strings.Join(a.Brokers, `", "`), a.Partitions, a.DSN, m.HTTP, a.Extra, m.Instance, a.Cluster)
}
