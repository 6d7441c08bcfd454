package app

import (
	"time"

	"tocsin/processor"
	"tocsin/processor/app/settings"
	"tocsin/processor/detect"
	"tocsin/processor/live"
	"tocsin/processor/sink"
	"tocsin/processor/telemetry"
	"tocsin/state"
	"tocsin/topics"
)

// Config is the whole configuration, by section. deploy/config.example.yaml explains every setting.
type Config struct {
	App           AppConfig                     `yaml:"app"`
	Kafka         KafkaConfig                   `yaml:"kafka"`
	Topics        TopicsConfig                  `yaml:"topics"`
	Input         InputConfig                   `yaml:"input"`
	Processor     ProcessorConfig               `yaml:"processor"`
	State         StateConfig                   `yaml:"state"`
	Verify        VerifyConfig                  `yaml:"verify"`
	Detection     DetectionConfig               `yaml:"detection"`
	Rules         map[string]RuleConfig         `yaml:"rules"`
	Organizations map[string]OrganizationConfig `yaml:"organizations"`
	Postgres      PostgresConfig                `yaml:"postgres"`
	Sink          SinkConfig                    `yaml:"sink"`
	Redis         RedisConfig                   `yaml:"redis"`
	Otel          OtelConfig                    `yaml:"otel"`
	HTTP          HTTPConfig                    `yaml:"http"`
	Log           LogConfig                     `yaml:"log"`
	Embedded      EmbeddedConfig                `yaml:"embedded"`
}

// AppConfig says who this process is.
type AppConfig struct {
	ID       string `yaml:"id"`       // application id: consumer groups, transactional ids, names of internal topics
	Instance string `yaml:"instance"` // empty: host name and a hash of the data folder
	DataDir  string `yaml:"data_dir"`
}

// KafkaConfig is how the cluster is reached.
type KafkaConfig struct {
	Brokers             []string   `yaml:"brokers"`
	TLS                 TLSConfig  `yaml:"tls"`
	SASL                SASLConfig `yaml:"sasl"`
	AllowTransaction1   bool       `yaml:"allow_transaction_v1"`
	ReplicationFactor   int        `yaml:"replication_factor"` // of topics that `topics init` creates
	MinInsyncReplicas   int        `yaml:"min_insync_replicas"`
	Compression         string     `yaml:"compression"` // of what the processor writes
	SessionTimeout      Duration   `yaml:"session_timeout"`
	HeartbeatInterval   Duration   `yaml:"heartbeat_interval"`
	TransactionTimeout  Duration   `yaml:"transaction_timeout"`
	TransactionWatchdog Duration   `yaml:"transaction_watchdog"`
}

// TLSConfig encrypts connections.
type TLSConfig struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	ServerName string `yaml:"server_name"`
}

// SASLConfig is how the process says to Kafka who it is.
type SASLConfig struct {
	Mechanism    string            `yaml:"mechanism"` // none, plain, scram-sha-256, scram-sha-512, oauthbearer
	Username     string            `yaml:"username"`
	Password     settings.Secret   `yaml:"password"`
	PasswordFile string            `yaml:"password_file"`
	TokenFile    string            `yaml:"token_file"` // of oauthbearer; read again whenever a token is needed
	Extensions   map[string]string `yaml:"extensions"` // of oauthbearer (KIP-342)
}

// TopicsConfig names the topics that others see. Internal ones are named after the application id.
type TopicsConfig struct {
	Input      string `yaml:"input"`
	Alerts     string `yaml:"alerts"`
	DeadLetter string `yaml:"deadletter"`
	Partitions int    `yaml:"partitions"` // of the input, when `topics init` creates it
}

// InputConfig says what is expected of the input topic.
type InputConfig struct {
	Keying          string `yaml:"keying"`
	Key             string `yaml:"key"` // template, see topics.KeyTemplate
	Start           string `yaml:"start"`
	Ticks           bool   `yaml:"ticks"`
	TrustCreateTime bool   `yaml:"trust_create_time"`
	MaxBytes        Size   `yaml:"max_bytes"`
	MaxDepth        int    `yaml:"max_depth"`
}

// defaultMemoryLimit leaves, with the state's caches, a process of 512 MB at a hundred thousand active principals.
const defaultMemoryLimit = 380 * mib

// ProcessorConfig bounds the processor's work.
type ProcessorConfig struct {
	Workers            int      `yaml:"workers"`
	TransactionTime    Duration `yaml:"transaction_time"`
	TransactionRecords int      `yaml:"transaction_records"`
	TransactionBytes   Size     `yaml:"transaction_bytes"`
	TransactionTimers  int      `yaml:"transaction_timers"`
	CacheBytes         Size     `yaml:"cache_bytes"`
	MemoryLimit        Size     `yaml:"memory_limit"` // soft limit of Go's memory; GOMEMLIMIT weighs more
	Restores           int      `yaml:"restores"`
	RestoreStall       Duration `yaml:"restore_stall"`
	WatchInterval      Duration `yaml:"watch_interval"`
	Standby            string   `yaml:"standby"` // none or all
}

// StateConfig is about the state on disk.
type StateConfig struct {
	Dir           string   `yaml:"dir"` // empty: state in the data folder
	CacheBytes    Size     `yaml:"cache_bytes"`
	MemTableBytes Size     `yaml:"memtable_bytes"`
	FlushInterval Duration `yaml:"flush_interval"`
	MaxAge        Duration `yaml:"max_age"`
	TTL           Duration `yaml:"ttl"`
	WriteFormat   int      `yaml:"write_format"` // 0: topics.DefaultValueFormat
}

// VerifyConfig says how hashes and signatures are checked.
type VerifyConfig struct {
	HMACSecret     settings.Secret   `yaml:"hmac_secret"`
	HMACSecretFile string            `yaml:"hmac_secret_file"`
	HMACKeyID      string            `yaml:"hmac_key_id"`
	Require        string            `yaml:"require"`
	Sources        map[string]string `yaml:"sources"`
	Unverifiable   string            `yaml:"unverifiable"`
}

// DetectionConfig is what all rules share.
type DetectionConfig struct {
	Grace         Duration    `yaml:"grace"`
	FutureSkew    Duration    `yaml:"future_skew"`
	MaxEpisode    Duration    `yaml:"max_episode"`
	Hours         HoursConfig `yaml:"hours"`
	DenialCodes   []string    `yaml:"denial_codes"`
	DenialPhrases []string    `yaml:"denial_phrases"`
	// Copies are more rules: NAME: the built-in rule it is a copy of. Their settings are under rules.NAME.
	Copies map[string]string `yaml:"copies"`
}

// HoursConfig are working hours; outside them is [From, To).
type HoursConfig struct {
	Zone     string   `yaml:"zone"`
	From     string   `yaml:"from"`
	To       string   `yaml:"to"`
	Days     []string `yaml:"days"`
	Holidays []string `yaml:"holidays"`
}

// RuleConfig overrides a rule; nil leaves what holds above.
type RuleConfig struct {
	Enabled   *bool     `yaml:"enabled"`
	Threshold *int64    `yaml:"threshold"`
	Window    *Duration `yaml:"window"`
	Cooldown  *Duration `yaml:"cooldown"`
	Severity  *string   `yaml:"severity"`
	Type      *string   `yaml:"type"`
	Title     *string   `yaml:"title"`
	Runbook   *string   `yaml:"runbook"`
	Tags      []string  `yaml:"tags"`
	Except    []string  `yaml:"except"`
}

// OrganizationConfig overrides the configuration for one organisation.
type OrganizationConfig struct {
	Hours    HoursConfig           `yaml:"hours"`
	Rules    map[string]RuleConfig `yaml:"rules"`
	Require  *string               `yaml:"require"`
	Sources  map[string]string     `yaml:"sources"`
	Evidence *bool                 `yaml:"evidence"`
}

// PostgresConfig is how the database is reached.
type PostgresConfig struct {
	URL          settings.URL `yaml:"url"`
	URLFile      string       `yaml:"url_file"`
	AdminURL     settings.URL `yaml:"admin_url"` // of a role that may change the schema; empty: URL
	AdminURLFile string       `yaml:"admin_url_file"`
}

// SinkConfig bounds the sink's work.
type SinkConfig struct {
	BatchRecords     int      `yaml:"batch_records"`
	BatchTimeout     Duration `yaml:"batch_timeout"`
	RetryMin         Duration `yaml:"retry_min"`
	RetryMax         Duration `yaml:"retry_max"`
	EvidenceInterval Duration `yaml:"evidence_interval"`
	Connections      int      `yaml:"connections"`
}

// RedisConfig is where live numbers are kept for dashboards.
type RedisConfig struct {
	Address      string          `yaml:"address"` // empty: no live numbers
	Username     string          `yaml:"username"`
	Password     settings.Secret `yaml:"password"`
	PasswordFile string          `yaml:"password_file"`
	Database     int             `yaml:"database"`
	TLS          TLSConfig       `yaml:"tls"`
	Prefix       string          `yaml:"prefix"` // of all keys
	KeepMinutes  Duration        `yaml:"keep_minutes"`
	KeepHours    Duration        `yaml:"keep_hours"`
	Interval     Duration        `yaml:"interval"` // at which a process tells how it fares
}

// OtelConfig is where traces are sent to.
type OtelConfig struct {
	Endpoint       string          `yaml:"endpoint"`        // base URL of a collector; empty: no traces
	TracesEndpoint string          `yaml:"traces_endpoint"` // URL for traces, as it is; empty: made from Endpoint
	Protocol       string          `yaml:"protocol"`
	Headers        settings.Secret `yaml:"headers"` // name=value, separated by commas
	HeadersFile    string          `yaml:"headers_file"`
	APIKey         settings.Secret `yaml:"api_key"` // sent as Authorization: Bearer
	APIKeyFile     string          `yaml:"api_key_file"`
	AuthHeader     settings.Secret `yaml:"auth_header"` // Name: value
	AuthHeaderFile string          `yaml:"auth_header_file"`
	TLS            OtelTLSConfig   `yaml:"tls"`
	ServiceName    string          `yaml:"service_name"`
	Disabled       bool            `yaml:"disabled"`
}

// OtelTLSConfig is for an https endpoint.
type OtelTLSConfig struct {
	CAFile   string `yaml:"ca_file"`
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// HTTPConfig is the admin server.
type HTTPConfig struct {
	Listen string `yaml:"listen"` // empty: none
}

// LogConfig is about the log on standard error.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// EmbeddedConfig is about the services that `run --embedded` and `demo` start.
type EmbeddedConfig struct {
	Dir          string `yaml:"dir"`
	KafkaPort    int    `yaml:"kafka_port"`
	PostgresPort int    `yaml:"postgres_port"`
	Partitions   int    `yaml:"partitions"`
	OnDemand     bool   `yaml:"on_demand"` // start them for a command that reads, if they do not run
}

type (
	// Duration is written as package settings says.
	Duration = settings.Duration
	// Size is written as package settings says.
	Size = settings.Size
)

// Default gives the configuration that holds where nothing is set.
func Default() Config {
	d := detect.Default()
	return Config{
		App: AppConfig{ID: "tocsin", DataDir: "data"},
		Kafka: KafkaConfig{
			SASL:              SASLConfig{Mechanism: mechanismNone},
			ReplicationFactor: 3, MinInsyncReplicas: 2, Compression: processor.DefaultCompression,
			SessionTimeout:      Duration(processor.DefaultSession),
			HeartbeatInterval:   Duration(processor.DefaultHeartbeat),
			TransactionTimeout:  Duration(processor.DefaultTransaction),
			TransactionWatchdog: Duration(processor.DefaultEndTimeout),
		},
		Topics: TopicsConfig{Input: "audit.events", Alerts: "audit.alerts", DeadLetter: "audit.deadletter", Partitions: 12},
		Input: InputConfig{
			Keying: "trusted", Key: topics.DefaultKeyTemplate, Start: "earliest",
			MaxBytes: Size(topics.DefaultLimits().MaxBytes), MaxDepth: topics.DefaultLimits().MaxDepth,
		},
		Processor: ProcessorConfig{
			TransactionTime:    Duration(processor.DefaultCloseAfter),
			TransactionRecords: processor.DefaultCloseRecords,
			TransactionBytes:   processor.DefaultCloseBytes,
			TransactionTimers:  processor.DefaultCloseTimers,
			CacheBytes:         processor.DefaultCacheBytes,
			MemoryLimit:        defaultMemoryLimit,
			Restores:           processor.DefaultRestores,
			RestoreStall:       Duration(processor.DefaultStallAfter),
			WatchInterval:      Duration(processor.DefaultWatchEvery),
			Standby:            "none",
		},
		State: StateConfig{
			CacheBytes:    state.DefaultCacheBytes,
			MemTableBytes: state.DefaultMemTableBytes,
			FlushInterval: Duration(state.DefaultFlushEvery),
			MaxAge:        Duration(processor.DefaultStateMaxAge),
			TTL:           Duration(d.StateTTL),
		},
		Verify: VerifyConfig{Require: "none", Unverifiable: "quarantine"},
		Detection: DetectionConfig{
			Grace: Duration(d.Grace), FutureSkew: Duration(d.FutureSkew), MaxEpisode: Duration(d.MaxEpisode),
			Hours: HoursConfig{Zone: d.Hours.Zone, From: d.Hours.From, To: d.Hours.To,
				Days: d.Hours.Days, Holidays: d.Hours.Holidays},
			DenialCodes: d.DenialCodes, DenialPhrases: d.DenialPhrases,
		},
		Rules: defaultRules(d),
		Sink: SinkConfig{
			BatchRecords:     sink.DefaultMaxBatch,
			BatchTimeout:     Duration(sink.DefaultBatchTimeout),
			RetryMin:         Duration(sink.DefaultRetryMin),
			RetryMax:         Duration(sink.DefaultRetryMax),
			EvidenceInterval: Duration(sink.DefaultEvidenceEvery),
			Connections:      4,
		},
		Redis: RedisConfig{
			Prefix:      live.DefaultPrefix,
			KeepMinutes: Duration(live.DefaultKeepMinutes), KeepHours: Duration(live.DefaultKeepHours),
			Interval: Duration(live.DefaultEvery),
		},
		Otel:     OtelConfig{Protocol: telemetry.ProtocolHTTP, ServiceName: "tocsin"},
		HTTP:     HTTPConfig{Listen: "127.0.0.1:9464"},
		Log:      LogConfig{Level: "info", Format: "auto"},
		Embedded: EmbeddedConfig{KafkaPort: 9092, PostgresPort: 0, Partitions: 4},
	}
}

// defaultRules gives the built-in rules with every setting they have, for whoever looks at the configuration.
func defaultRules(d detect.Config) map[string]RuleConfig {
	set, err := detect.Compile(d)
	if err != nil {
		panic("the built-in rules do not compile: " + err.Error()) // a fault of the program, found by its first test
	}
	org := set.For(nil)
	out := map[string]RuleConfig{}
	for _, r := range append([]*detect.Rule{org.Integrity()}, org.Rules()...) {
		window := Duration(r.Window)
		if r.Window == 1 {
			window = 0
		}
		enabled, threshold, cooldown := true, r.Threshold, Duration(r.Cooldown)
		severity, typ, title, runbook := r.Severity, r.Type, r.Title, r.Runbook
		out[r.ID] = RuleConfig{
			Enabled: &enabled, Threshold: &threshold, Window: &window, Cooldown: &cooldown, Severity: &severity,
			Type: &typ, Title: &title, Runbook: &runbook, Tags: r.Tags,
		}
	}
	return out
}

// std converts the optional duration.
func std(d *Duration) *time.Duration {
	if d == nil {
		return nil
	}
	v := time.Duration(*d)
	return &v
}
