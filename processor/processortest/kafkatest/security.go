package kafkatest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Security makes the broker demand of its clients that they speak TLS and say who they are. The certificates are made
// for the broker, see [Broker.Files].
type Security struct {
	// Users are passwords by name, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. Neither may hold a comma, a quote or ].
	Users map[string]string
	// ClientCert demands a certificate of clients too (mTLS).
	ClientCert bool
	// CertificateOnly: clients are who their certificate says, and have no password. It implies ClientCert.
	CertificateOnly bool
	// Authorizer refuses clients what no access control list allows them. Lists are made over AdminAddrs.
	Authorizer bool
	// Reauthenticate makes clients say again who they are, this often; 0: never.
	Reauthenticate time.Duration
}

// AdminAddrs are addresses at which an administrator of a broker with [Security] connects, without TLS or password.
func (b *Broker) AdminAddrs() []string { return []string{local(b.ports[b.internal()])} }

// listener is how clients connect, in Kafka's words.
func (s *Security) listener() string {
	if s.CertificateOnly {
		return "SSL"
	}
	return "SASL_SSL"
}

// scramUsers are the arguments that make the users when the storage is formatted.
func (s *Security) scramUsers() (args []string) {
	if s == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Users)) {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, name, s.Users[name]))
		}
	}
	return args
}

// internal is the port on which the broker talks to itself: without TLS, so that it needs no password of its own.
func (b *Broker) internal() int {
	if b.cfg.Security != nil {
		return 2
	}
	return 0
}

func (b *Broker) securitySettings() map[string]string {
	plain := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Security.Users)) {
		plain += fmt.Sprintf(" user_%s=\"%s\"", name, b.cfg.Security.Users[name])
	}
	const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	// Tokens are believed unsigned, as Kafka does where nothing else is configured. The claim is of the broker's own
	// token, which it needs and nobody uses.
	const bearer = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required " +
		"unsecuredLoginStringClaim_sub=\"broker\";"
	sec := b.cfg.Security
	listener := "listener.name." + strings.ToLower(sec.listener()) + "."
	clientAuth := "none"
	if sec.ClientCert || sec.CertificateOnly {
		clientAuth = "required"
	}
	mechanisms := []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"}
	all := map[string]string{
		"inter.broker.listener.name":                "PLAINTEXT",
		"listener.security.protocol.map":            "SASL_SSL:SASL_SSL,SSL:SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"sasl.enabled.mechanisms":                   strings.Join(mechanisms, ","),
		listener + "plain.sasl.jaas.config":         plain + ";",
		listener + "scram-sha-256.sasl.jaas.config": scram,
		listener + "scram-sha-512.sasl.jaas.config": scram,
		listener + "oauthbearer.sasl.jaas.config":   bearer,
		"ssl.keystore.type":                         "PEM",
		"ssl.keystore.location":                     b.Files().Server,
		"ssl.truststore.type":                       "PEM",
		"ssl.truststore.location":                   b.Files().CA,
		listener + "ssl.client.auth":                clientAuth,
		"ssl.endpoint.identification.algorithm":     "",
		"connection.failed.authentication.delay.ms": "0",
	}
	if sec.Authorizer {
		all["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
		all["super.users"] = "User:ANONYMOUS" // the broker itself, and whoever comes to AdminAddrs
	}
	if sec.Reauthenticate > 0 {
		every := strconv.FormatInt(sec.Reauthenticate.Milliseconds(), 10)
		for _, m := range mechanisms {
			all[listener+strings.ToLower(m)+".connections.max.reauth.ms"] = every
		}
	}
	return all
}
