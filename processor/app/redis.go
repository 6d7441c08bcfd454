package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"tocsin/processor/live"
)

// redisClient makes a client of the server with the live numbers. It connects when first used.
func (c *Config) redisClient() (*redis.Client, error) {
	r := c.Redis
	o := &redis.Options{
		Addr: r.Address, Username: r.Username, Password: r.Password.Reveal(), DB: r.Database,
		Protocol: 2, DisableIdentity: true, // nothing of the newer protocol is used: older servers and proxies will do
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               -1, DialerRetries: 1, // who uses it tries again, and says meanwhile what is wrong
		DialTimeout: live.DefaultTimeout, ReadTimeout: live.DefaultTimeout, WriteTimeout: live.DefaultTimeout,
		ContextTimeoutEnabled: true, PoolSize: 4,
	}
	if r.TLS.Enabled {
		var err error
		if o.TLSConfig, err = r.TLS.config("redis.tls"); err != nil {
			return nil, err
		}
	}
	logging.Disable() // the library prints to standard error what it returns as an error as well
	return redis.NewClient(o), nil
}

var prefixForm = regexp.MustCompile(`^[!-~]{0,100}$`)

func (c *checker) redis() {
	r := c.l.Redis
	if r.Address != "" {
		if host, port, err := net.SplitHostPort(r.Address); err != nil || host == "" || !isPort(port) {
			c.fail("redis.address", "%q is no address: write host:port, like redis-1:6379, or \"\" for none", r.Address)
		}
	}
	if r.Username != "" && !r.Password.Set() {
		c.fail("redis.password", "redis.username needs one (or redis.password_file)")
	}
	c.tls("redis.tls", r.TLS)
	c.number("redis.database", int64(r.Database), 0, 1_000_000)
	if !prefixForm.MatchString(r.Prefix) {
		c.fail("redis.prefix", "%q is no prefix: at most 100 printable ASCII characters, no spaces", r.Prefix)
	}
	c.duration("redis.keep_minutes", r.KeepMinutes, time.Minute, day)
	c.duration("redis.keep_hours", r.KeepHours, time.Hour, 31*day)
	c.duration("redis.interval", r.Interval, time.Second, time.Minute)
}

// explain adds to an error of Redis what can be done about it.
func (r *RedisConfig) explain(err error) error {
	if remedy := r.remedy(err); remedy != "" {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return err
}

// remedy is empty for an error whose remedy is not known.
func (r *RedisConfig) remedy(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		network   *net.OpError
		answer    redis.Error
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &authority):
		return "redis.tls.ca_file does not hold the authority that signed the server's certificate: name the PEM file that" +
			" does (empty: the system's authorities)"
	case errors.As(err, &name):
		return "name the server in redis.address as its certificate does, or set redis.tls.server_name"
	case errors.As(err, &invalid):
		return "the server's certificate is at fault, not redis.tls.ca_file: renew it"
	case errors.As(err, &answer):
		return answerRemedy(answer.Error())
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		if r.TLS.Enabled { // a server without it waits for the end of what it takes for a command
			return "the server at redis.address does not answer in time: if it does not speak TLS at this port, unset" +
				" redis.tls.enabled"
		}
		return "the server at redis.address does not answer in time"
	case errors.As(err, &network) && network.Op == "dial":
		return "no server answers at redis.address: check host and port, and whether it runs"
	}
	switch text := err.Error(); {
	case strings.Contains(text, "remote error: tls: "):
		return "the server refused our certificate, or asks for one: see redis.tls.cert_file and redis.tls.key_file"
	case strings.Contains(text, "does not look like a TLS handshake"):
		return "the server does not speak TLS at this port: unset redis.tls.enabled, or name another port in redis.address"
	case !strings.HasSuffix(text, "EOF") && !strings.Contains(text, "connection reset by peer"):
	case r.TLS.Enabled:
		return "the server ended the connection: if that lasts, it may ask for a certificate (redis.tls.cert_file and" +
			" redis.tls.key_file)"
	default:
		return "the server ended the connection: if that lasts, it may speak TLS at this port (redis.tls.enabled)"
	}
	return ""
}

const lacksRight = "the user of redis.username lacks a right: deploy/docs/live.md says how it is granted"

// answerRemedy is for what the server itself answers.
func answerRemedy(answer string) string {
	for _, known := range []struct{ begins, remedy string }{
		{"WRONGPASS", "check redis.username and redis.password (or redis.password_file)"},
		{"NOAUTH", "the server asks for a password: set redis.password or redis.password_file"},
		{"ERR AUTH <password> called without any password", "the server asks for no password: leave redis.password out"},
		{"NOPERM", lacksRight},
		{"ERR The user executing the script can't", lacksRight}, // the same, within a script (Redis 7)
		{"OOM", "the server has no memory left for writes: raise its maxmemory"},
		{"READONLY", "the server is a replica: name the one that takes writes in redis.address"},
		{"MOVED", "the server is part of a cluster, which is not supported: name one that stands alone"},
		{"ERR DB index is out of range", "redis.database is none that the server has"},
	} {
		if strings.HasPrefix(answer, known.begins) {
			return known.remedy
		}
	}
	return ""
}
