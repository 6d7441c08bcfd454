package app

import (
	"errors"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/processor/detect"
	"tocsin/processor/verify"
	"tocsin/topics"
)

var (
	idForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	topicForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

	// Of SASL's extensions (RFC 7628).
	extensionName  = regexp.MustCompile(`^[A-Za-z]{1,100}$`)
	extensionValue = regexp.MustCompile(`^[\x20-\x7e]{1,1000}$`)
)

// checker collects faults.
type checker struct {
	l    *Loaded
	errs []error
}

func (c *checker) fail(path, format string, args ...any) {
	c.errs = append(c.errs, c.l.Fault(path, format, args...))
}

// oneOf looks at a setting that takes one of a few words; see choices.
func (c *checker) oneOf(path, value string) {
	if allowed := choices()[path]; !slices.Contains(allowed, value) {
		c.fail(path, "%q is none of: %s", value, strings.Join(allowed, ", "))
	}
}

func (c *checker) number(path string, value, least, most int64) {
	if value < least || value > most {
		c.fail(path, "%d is outside %d to %d", value, least, most)
	}
}

func (c *checker) duration(path string, value Duration, least, most time.Duration) {
	if time.Duration(value) < least || time.Duration(value) > most {
		c.fail(path, "%s is outside %s to %s", value, Duration(least), Duration(most))
	}
}

func (c *checker) size(path string, value, least, most Size) {
	if value < least || value > most {
		c.fail(path, "%s is outside %s to %s", value, least, most)
	}
}

const (
	kib Size = 1 << 10
	mib Size = 1 << 20
	gib Size = 1 << 30
	day      = 24 * time.Hour
)

// check looks at every value. What the parts themselves can check is left to them.
func (l *Loaded) check() error {
	c := &checker{l: l}
	c.app()
	c.kafka()
	c.input()
	c.limits()
	c.redis()
	c.otel()
	c.rules()
	c.verify()
	c.oneOf("log.level", l.Log.Level)
	c.oneOf("log.format", l.Log.Format)
	if l.HTTP.Listen != "" {
		if _, port, err := net.SplitHostPort(l.HTTP.Listen); err != nil || !isPort(port) {
			c.fail("http.listen", "%q is no address: write host:port, like 127.0.0.1:9464, or \"\" for none", l.HTTP.Listen)
		}
	}
	c.number("embedded.kafka_port", int64(l.Embedded.KafkaPort), 0, 65535)
	c.number("embedded.postgres_port", int64(l.Embedded.PostgresPort), 0, 65535)
	c.number("embedded.partitions", int64(l.Embedded.Partitions), 1, 256)
	return errors.Join(c.errs...)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n <= 65535
}

func (c *checker) app() {
	a := c.l.App
	if !idForm.MatchString(a.ID) {
		c.fail("app.id", "%q is no application id: letters, digits, dots, dashes and underscores, at most 100", a.ID)
	}
	if a.Instance != "" && !idForm.MatchString(a.Instance) {
		c.fail("app.instance", "%q is no instance name: letters, digits, dots, dashes and underscores, at most 100",
			a.Instance)
	}
	if a.DataDir == "" {
		c.fail("app.data_dir", "a folder must be named")
	}
	seen := map[string]string{}
	for _, t := range []struct{ path, name string }{
		{"topics.input", c.l.Topics.Input}, {"topics.alerts", c.l.Topics.Alerts},
		{"topics.deadletter", c.l.Topics.DeadLetter},
		{"app.id", c.l.changelogTopic()}, {"app.id", c.l.sealsTopic()},
	} {
		if t.path != "app.id" && (!topicForm.MatchString(t.name) || t.name == "." || t.name == "..") {
			c.fail(t.path, "%q is no topic name: letters, digits, dots, dashes and underscores, at most 249", t.name)
		}
		if other, ok := seen[t.name]; ok {
			c.fail(t.path, "topic %q is named by %s too: every topic needs a name of its own", t.name, other)
		}
		seen[t.name] = t.path
	}
	c.number("topics.partitions", int64(c.l.Topics.Partitions), 1, 10_000)
}

func (c *checker) kafka() {
	k := c.l.Kafka
	for _, b := range k.Brokers {
		if _, port, err := net.SplitHostPort(b); err != nil || !isPort(port) {
			c.fail("kafka.brokers", "%q is no broker address: write host:port, like kafka-1:9092", b)
		}
	}
	c.sasl()
	c.tls("kafka.tls", k.TLS)
	c.number("kafka.replication_factor", int64(k.ReplicationFactor), 1, 100)
	c.number("kafka.min_insync_replicas", int64(k.MinInsyncReplicas), 1, 100)
	if k.MinInsyncReplicas > k.ReplicationFactor {
		c.fail("kafka.min_insync_replicas", "%d is more than kafka.replication_factor, %d: nothing could be written",
			k.MinInsyncReplicas, k.ReplicationFactor)
	}
	c.oneOf("kafka.compression", k.Compression)
	c.duration("kafka.session_timeout", k.SessionTimeout, 6*time.Second, 30*time.Minute)
	c.duration("kafka.heartbeat_interval", k.HeartbeatInterval, 100*time.Millisecond, time.Duration(k.SessionTimeout)/3)
	c.duration("kafka.transaction_timeout", k.TransactionTimeout, time.Second, 15*time.Minute)
	if k.TransactionTimeout >= k.SessionTimeout {
		c.fail("kafka.transaction_timeout", "%s must be under kafka.session_timeout, %s: else the partitions of a dead"+
			" process are given away before its transaction has ended", k.TransactionTimeout, k.SessionTimeout)
	}
	if k.TransactionWatchdog <= k.TransactionTimeout {
		c.fail("kafka.transaction_watchdog", "%s must be over kafka.transaction_timeout, %s: the broker is to give up"+
			" first", k.TransactionWatchdog, k.TransactionTimeout)
	}
}

func (c *checker) sasl() {
	s := c.l.Kafka.SASL
	named := s.Username != "" || s.Password.Set()
	token := s.TokenFile != "" || len(s.Extensions) > 0
	switch s.Mechanism {
	case mechanismNone:
		if named || token {
			c.fail("kafka.sasl.mechanism", "is none although a user name, password or token is set: write plain,"+
				" scram-sha-256, scram-sha-512 or oauthbearer")
		}
	case mechanismBearer:
		if s.TokenFile == "" {
			c.fail("kafka.sasl.token_file", "mechanism %s needs one", s.Mechanism)
		}
		if named {
			c.fail("kafka.sasl.username", "mechanism %s takes a token, neither user name nor password", s.Mechanism)
		}
		for name, value := range s.Extensions {
			if !extensionName.MatchString(name) || !extensionValue.MatchString(value) || name == "auth" {
				c.fail("kafka.sasl.extensions", "%q: names are letters, values printable ASCII", name)
			}
		}
	case "plain", "scram-sha-256", "scram-sha-512":
		if s.Username == "" {
			c.fail("kafka.sasl.username", "mechanism %s needs one", s.Mechanism)
		}
		if !s.Password.Set() {
			c.fail("kafka.sasl.password", "mechanism %s needs one (or kafka.sasl.password_file)", s.Mechanism)
		}
		if token {
			c.fail("kafka.sasl.token_file", "mechanism %s takes a password, no token", s.Mechanism)
		}
	default:
		c.oneOf("kafka.sasl.mechanism", s.Mechanism)
	}
}

func (c *checker) input() {
	in := c.l.Input
	if in.Keying == "routed" {
		c.fail("input.keying", `"routed" is not available in this version: write trusted`)
	} else {
		c.oneOf("input.keying", in.Keying)
	}
	if _, err := topics.ParseKeyTemplate(in.Key); err != nil {
		c.fail("input.key", "%s", err)
	}
	c.oneOf("input.start", in.Start)
	c.size("input.max_bytes", in.MaxBytes, kib, 64*mib)
	c.number("input.max_depth", int64(in.MaxDepth), 1, 10_000)
}

func (c *checker) limits() {
	p, s, k := c.l.Processor, c.l.State, c.l.Sink
	c.number("processor.workers", int64(p.Workers), 0, 1000)
	c.duration("processor.transaction_time", p.TransactionTime, time.Millisecond,
		time.Duration(c.l.Kafka.TransactionTimeout)/2)
	c.number("processor.transaction_records", int64(p.TransactionRecords), 1, 1_000_000)
	c.size("processor.transaction_bytes", p.TransactionBytes, 64*kib, 256*mib)
	c.number("processor.transaction_timers", int64(p.TransactionTimers), 1, 1_000_000)
	c.size("processor.cache_bytes", p.CacheBytes, mib, 64*gib)
	c.size("processor.memory_limit", p.MemoryLimit, 2*p.CacheBytes, 1024*gib)
	c.number("processor.restores", int64(p.Restores), 1, 100)
	c.duration("processor.restore_stall", p.RestoreStall, time.Second, day)
	c.duration("processor.watch_interval", p.WatchInterval, time.Second, day)
	c.oneOf("processor.standby", p.Standby)
	c.size("state.cache_bytes", s.CacheBytes, mib, 64*gib)
	c.size("state.memtable_bytes", s.MemTableBytes, mib, gib)
	c.duration("state.flush_interval", s.FlushInterval, time.Second, day)
	c.duration("state.max_age", s.MaxAge, time.Minute, 400*day)
	c.duration("state.ttl", s.TTL, time.Hour, 400*day)
	if _, err := topics.WriteFormat(s.WriteFormat); err != nil {
		c.fail("state.write_format", "%v", err)
	}
	c.number("sink.batch_records", int64(k.BatchRecords), 1, 100_000)
	c.duration("sink.batch_timeout", k.BatchTimeout, time.Second, time.Hour)
	c.duration("sink.retry_min", k.RetryMin, time.Millisecond, time.Hour)
	c.duration("sink.retry_max", k.RetryMax, time.Duration(k.RetryMin), time.Hour)
	c.duration("sink.evidence_interval", k.EvidenceInterval, 100*time.Millisecond, time.Hour)
	c.number("sink.connections", int64(k.Connections), 2, 100)
}

func (c *checker) rules() {
	d := c.l.Detection
	c.duration("detection.grace", d.Grace, 0, 31*day)
	c.duration("detection.future_skew", d.FutureSkew, 0, day)
	c.duration("detection.max_episode", d.MaxEpisode, time.Minute, 400*day)
	ids := RuleIDs()
	for id := range c.l.Rules {
		if _, copied := d.Copies[id]; !copied && !slices.Contains(ids, id) {
			c.fail("rules."+id, "there is no such rule; there are: %s, and those under detection.copies",
				strings.Join(ids, ", "))
		}
	}
	if len(c.errs) == 0 {
		// The rules know their own limits.
		if _, err := detect.Compile(c.l.Config.Detect()); err != nil {
			c.errs = append(c.errs, err)
		}
	}
}

func (c *checker) verify() {
	v := c.l.Verify
	c.oneOf("verify.require", v.Require)
	c.oneOf("verify.unverifiable", v.Unverifiable)
	if n := len(v.HMACSecret.Reveal()); n > 0 && n < verify.MinSecret {
		c.fail("verify.hmac_secret", "has %d bytes, at least %d are needed", n, verify.MinSecret)
	}
	if len(c.errs) > 0 {
		return
	}
	cfg, err := c.l.Config.Verifier()
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		c.errs = append(c.errs, err)
	}
}
