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
}

// withoutEffect are variables that are known by name and do nothing yet.
var withoutEffect = []string{"OTLP_ENDPOINT", "OTLP_API_KEY", "OTLP_AUTH_HEADER"}

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
		if slices.Contains(withoutEffect, name) || strings.HasPrefix(name, "OTEL_") {
			add("%s is set and has no effect: this version sends nothing over OTLP", name)
		}
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
