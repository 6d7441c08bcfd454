package app

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// KafkaOptions gives what it takes to reach the cluster: seed brokers, TLS, SASL.
func (c *Config) KafkaOptions() ([]kgo.Opt, error) {
	if len(c.Kafka.Brokers) == 0 {
		return nil, Usagef("kafka.brokers is not set: name the brokers in the configuration file, with --brokers or in" +
			" TOCSIN_KAFKA__BROKERS; `tocsin run --embedded` starts a broker of its own for trying out")
	}
	opts := []kgo.Opt{kgo.SeedBrokers(c.Kafka.Brokers...), kgo.ClientID(c.App.ID)}
	if c.Kafka.TLS.Enabled {
		t, err := c.Kafka.TLS.config("kafka.tls")
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(t))
	}
	if err := c.checkToken(); err != nil {
		return nil, err
	}
	user, password := c.Kafka.SASL.Username, c.Kafka.SASL.Password.Reveal()
	switch c.Kafka.SASL.Mechanism {
	case "plain":
		opts = append(opts, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	case "scram-sha-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
	case "scram-sha-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	case mechanismBearer:
		opts = append(opts, kgo.SASL(newBearer(c.Kafka.SASL.TokenFile, c.Kafka.SASL.Extensions)))
	}
	return opts, nil
}

// Two of the values of kafka.sasl.mechanism.
const (
	mechanismNone   = "none"
	mechanismBearer = "oauthbearer"
)

// checkToken reads the token once, so that a file that is not there is found before anything is started.
func (c *Config) checkToken() error {
	if c.Kafka.SASL.Mechanism != mechanismBearer {
		return nil
	}
	_, err := readToken(c.Kafka.SASL.TokenFile)
	return err
}

// kafkaClient makes a client for one command or role.
func (c *Config) kafkaClient(more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := c.KafkaOptions()
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("make a Kafka client: %w", err)
	}
	return cl, nil
}
