package kafkatest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Security makes the broker demand of its clients that they speak TLS and say who they are. The certificates are made
// for the broker, see [Broker.Files].
type Security struct {
	// Users are passwords by name, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. Neither may hold a comma, a quote or ].
	Users map[string]string
	// ClientCert demands a certificate of clients too (mTLS).
	ClientCert bool
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
	const listener = "listener.name.sasl_ssl."
	clientAuth := "none"
	if b.cfg.Security.ClientCert {
		clientAuth = "required"
	}
	mechanisms := []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
	return map[string]string{
		"inter.broker.listener.name":                "PLAINTEXT",
		"listener.security.protocol.map":            "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"sasl.enabled.mechanisms":                   strings.Join(mechanisms, ","),
		listener + "plain.sasl.jaas.config":         plain + ";",
		listener + "scram-sha-256.sasl.jaas.config": scram,
		listener + "scram-sha-512.sasl.jaas.config": scram,
		"ssl.keystore.type":                         "PEM",
		"ssl.keystore.location":                     filepath.Join(b.cfg.Dir, brokerFile),
		"ssl.truststore.type":                       "PEM",
		"ssl.truststore.location":                   b.Files().CA,
		listener + "ssl.client.auth":                clientAuth,
		"ssl.endpoint.identification.algorithm":     "",
		"connection.failed.authentication.delay.ms": "0",
	}
}
