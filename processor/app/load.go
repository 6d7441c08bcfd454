package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"tocsin/processor/app/settings"
)

// EnvPrefix begins the names of the variables that are settings: TOCSIN_KAFKA__BROKERS is kafka.brokers.
const EnvPrefix = "TOCSIN_"

// DefaultFile is read when no file is named, and exists.
const DefaultFile = "tocsin.yaml"

// aliases are variables that other programs of the same installation read; each gives a setting here.
var aliases = map[string]string{ //nolint:gosec // names of variables, no secrets
	"AUDIT_CRYPTO_SECRET": "verify.hmac_secret",
	"LOG_LEVEL":           "log.level",

	"OTEL_EXPORTER_OTLP_ENDPOINT":                  "otel.endpoint",
	"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":           "otel.traces_endpoint",
	"OTEL_EXPORTER_OTLP_PROTOCOL":                  "otel.protocol",
	"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL":           "otel.protocol",
	"OTEL_EXPORTER_OTLP_HEADERS":                   "otel.headers",
	"OTEL_EXPORTER_OTLP_TRACES_HEADERS":            "otel.headers",
	"OTEL_EXPORTER_OTLP_CERTIFICATE":               "otel.tls.ca_file",
	"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE":        "otel.tls.ca_file",
	"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE":        "otel.tls.cert_file",
	"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": "otel.tls.cert_file",
	"OTEL_EXPORTER_OTLP_CLIENT_KEY":                "otel.tls.key_file",
	"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY":         "otel.tls.key_file",
	"OTEL_SERVICE_NAME":                            "otel.service_name",
	"OTEL_SDK_DISABLED":                            "otel.disabled",
	"OTLP_ENDPOINT":                                "otel.endpoint",
	"OTLP_API_KEY":                                 "otel.api_key",
	"OTLP_AUTH_HEADER":                             "otel.auth_header",
}

// readByLibrary begins the names of variables that the library of OpenTelemetry reads itself.
var readByLibrary = []string{
	"OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER", "OTEL_BSP_", "OTEL_SPAN_", "OTEL_EXPORTER_OTLP_COMPRESSION",
	"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
}

// withoutEffect says whether a variable is known by name and does nothing.
func withoutEffect(name string) bool {
	_, known := aliases[name]
	return strings.HasPrefix(name, "OTEL_") && !known &&
		!slices.ContainsFunc(readByLibrary, func(begin string) bool { return strings.HasPrefix(name, begin) })
}

// Loaded is a configuration and where it came from.
type Loaded struct {
	Config
	*settings.Settings
	File  string   // the file that was read; empty for none
	Notes []string // what the user should know: names without effect, settings that weaken something
}

// LoadInput is where the configuration comes from.
type LoadInput struct {
	File   string   // named by the user; empty: DefaultFile, if it is there
	NoFile bool     // read no file at all
	Env    []string // NAME=value
	Flags  []settings.Flag
}

// Load reads the configuration and checks it. The error joins all faults.
func Load(in LoadInput) (*Loaded, error) {
	l := &Loaded{Config: Default(), File: in.File}
	if l.File == "" && !in.NoFile {
		if _, err := os.Stat(DefaultFile); err == nil {
			l.File = DefaultFile
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
	}
	var data []byte
	if l.File != "" {
		var err error
		if data, err = os.ReadFile(l.File); err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		if data == nil {
			data = []byte{}
		}
	}
	var err error
	l.Settings, err = settings.Load(&l.Config, settings.Input{
		Name: l.File, Data: data, Env: in.Env, Prefix: EnvPrefix, Aliases: aliases, Flags: in.Flags,
	})
	if err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	l.note(in.Env)
	return l, nil
}

// note collects what the user should know.
func (l *Loaded) note(env []string) {
	add := func(format string, args ...any) { l.Notes = append(l.Notes, fmt.Sprintf(format, args...)) }
	for _, pair := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(pair, "=")
		if value == "" {
			continue
		}
		if withoutEffect(name) {
			add("%s is set and has no effect: what is sent over OTLP are traces alone, see otel", name)
		}
	}
	if u := l.Otel.url(); strings.HasPrefix(u, "http://") &&
		(l.Otel.Headers.Set() || l.Otel.APIKey.Set() || l.Otel.AuthHeader.Set()) {
		add("otel.endpoint begins with http: the secrets sent with traces cross the network readably")
	}
	if l.Redis.Address != "" && l.Redis.Password.Set() && !l.Redis.TLS.Enabled {
		add("redis.password is set without redis.tls.enabled: the password crosses the network readably")
	}
	if !l.Verify.HMACSecret.Set() {
		add("verify.hmac_secret is not set: signatures cannot be checked, signed events count as hash_only")
	}
	if l.Input.TrustCreateTime {
		add("input.trust_create_time is true: whoever may write to %s can move the clock that judges lateness",
			l.Topics.Input)
	}
	if l.Kafka.AllowTransaction1 {
		add("kafka.allow_transaction_v1 is true: on such brokers a delayed message can end up in a later transaction")
	}
	if m := l.Kafka.SASL.Mechanism; !l.Kafka.TLS.Enabled && (m == "plain" || m == mechanismBearer) {
		secret := map[string]string{"plain": "password", mechanismBearer: "token"}[m]
		add("kafka.sasl.mechanism is %s without kafka.tls.enabled: the %s crosses the network readably", m, secret)
	}
	if l.Kafka.MinInsyncReplicas < 2 {
		add("kafka.min_insync_replicas is %d: one broker's disk can lose what was acknowledged", l.Kafka.MinInsyncReplicas)
	}
}
