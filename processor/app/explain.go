package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics/provision"
)

// Explain adds to an error what setting it comes from, where that can be told: how a broker greets a client that it
// does not know says little to those who have not met it before.
func Explain(err error) error {
	if remedy := remedyOf(err); remedy != "" {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return err
}

// remedyOf is empty for an error that is not about how brokers or database are reached.
func remedyOf(err error) string {
	if err == nil {
		return ""
	}
	if remedy, _ := databaseRemedy(err); remedy != "" {
		return remedy
	}
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		first     *kgo.ErrFirstReadEOF
		network   *net.OpError
	)
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "check kafka.sasl.username and kafka.sasl.password (or kafka.sasl.password_file), and that the brokers know " +
			"this user for kafka.sasl.mechanism"
	case errors.Is(err, errTokenRefused):
		return "check that the token in kafka.sasl.token_file has not expired and is meant for these brokers (issuer," +
			" audience); the file is read again for every connection"
	case errors.Is(err, errTokenFile):
		return "whoever rotates the token must leave one there"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "choose in kafka.sasl.mechanism one that the brokers offer"
	case errors.Is(err, kerr.IllegalSaslState):
		return "this listener of the brokers takes no user: set kafka.sasl.mechanism to none, or name another port in " +
			"kafka.brokers"
	case errors.As(err, &authority):
		return "kafka.tls.ca_file does not hold the authority that signed the brokers' certificates: name the PEM file " +
			"that does (empty: the system's authorities)"
	case errors.As(err, &name):
		return "name the brokers in kafka.brokers as their certificates do, or set kafka.tls.server_name"
	case errors.As(err, &invalid):
		return "the brokers' certificate is at fault, not kafka.tls.ca_file: renew it"
	}
	text := err.Error()
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition) && !strings.Contains(text, "topics init"):
		return "the topic does not exist: create it with `tocsin topics init`, or name another in topics"
	case errors.Is(err, kerr.UnsupportedVersion), strings.Contains(text, "broker is too old"),
		strings.Contains(text, "request key is unknown"):
		return "the brokers are too old: Kafka 2.8 or newer is needed (4.0 or newer without kafka.allow_transaction_v1)"
	// The types of these errors do not say which of the cases it is, or are not exported.
	case strings.Contains(text, "remote error: tls: "):
		return "the brokers refused our certificate, or ask for one: see kafka.tls.cert_file and kafka.tls.key_file"
	case strings.Contains(text, "appear to be a tls alert record"):
		return "this listener of the brokers speaks TLS: set kafka.tls.enabled, or name another port in kafka.brokers"
	case errors.As(err, &first) && strings.Contains(text, "is TLS missing?"):
		return "if this listener of the brokers speaks TLS, set kafka.tls.enabled"
	case errors.As(err, &first) && strings.Contains(text, "is TLS misconfigured"):
		return "if this listener of the brokers does not speak TLS, unset kafka.tls.enabled, or name another port in " +
			"kafka.brokers"
	case errors.As(err, &first):
		return "if the brokers ask who we are, set kafka.sasl; with TLS they may ask for a certificate besides " +
			"(kafka.tls.cert_file)"
	case errors.As(err, &network) && network.Op == "dial" && strings.Contains(text, "unable to dial"):
		return "no broker answers at kafka.brokers: check addresses and ports, and whether they run"
	}
	return ""
}

// greet finds out before anything is started whether the brokers let us in, are new enough, and allow what the roles
// need. Where they merely do not answer yet, the sink waits for them and the processor ends with its own error.
func (c *Config) greet(ctx context.Context, roles Roles) error {
	cl, err := c.kafkaClient(kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := ping(ctx, cl); err != nil {
		var network *net.OpError
		if remedyOf(err) == "" || errors.As(err, &network) && network.Op == "dial" {
			return nil
		}
		return fmt.Errorf("reach the Kafka cluster: %w", err)
	}
	return c.permitted(ctx, cl, roles)
}

// pingWithin bounds the wait for brokers or a database that do not answer. Without an answer the roles start all the
// same: what they do then is theirs.
const pingWithin = 10 * time.Second

func ping(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, pingWithin)
	defer cancel()
	return cl.Ping(ctx)
}

// permitted looks at all but the connection.
func (c *Config) permitted(ctx context.Context, cl *kgo.Client, roles Roles) error {
	ctx, cancel := context.WithTimeout(ctx, diagnoseWithin)
	defer cancel()
	adm := kadm.NewClient(cl)
	if err := provision.CheckAge(ctx, adm); errors.Is(err, provision.ErrOldBroker) {
		return err
	}
	if err := c.permit(ctx, roles.duties()...); err != nil {
		return err
	}
	if roles.Processor {
		return nil // it looks at its topics itself, and says all that is wrong with them
	}
	found, err := adm.ListTopics(ctx, c.Topics.Alerts)
	if err == nil && errors.Is(found[c.Topics.Alerts].Err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("topic %s does not exist: create it with `tocsin topics init`, or name another (topics.alerts)",
			c.Topics.Alerts)
	}
	return nil
}
