package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"tocsin/processor/app/terminal"
	"tocsin/topics"
	"tocsin/topics/provision"
)

// AccessError says which rights a user of the cluster lacks.
type AccessError struct {
	Principal string
	Missing   []topics.Right
	Commands  []string // that would grant them
	Err       error    // what the brokers refused; nil: nothing was tried
}

// Error implements error: what is missing, for what, and the remedy.
func (e *AccessError) Error() string {
	var b strings.Builder
	if e.Err != nil {
		b.WriteString(e.Err.Error() + ": ")
	}
	fmt.Fprintf(&b, "the brokers do not allow %s:", e.Principal)
	for i, r := range e.Missing {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %s (%s)", r, r.Why)
	}
	b.WriteString("; an administrator of the cluster grants it with:")
	for _, c := range e.Commands {
		b.WriteString("\n  " + c)
	}
	return b.String()
}

// Unwrap gives what the brokers refused.
func (e *AccessError) Unwrap() error { return e.Err }

// Rights gives the least rights at the cluster that these duties need.
func (c *Config) Rights(duties ...topics.Duty) []topics.Right {
	return topics.Rights(topics.RightsConfig{
		App: c.App.ID, SinkGroup: c.sinkGroup(), CountersGroup: c.countersGroup(),
		Names: topics.Names{Input: c.Topics.Input, Alerts: c.Topics.Alerts, DeadLetter: c.Topics.DeadLetter},
	}, duties...)
}

// ParseDuties reads a list of names: duties, run for what both roles of `run` need (so does an empty list), all.
func ParseDuties(names []string) ([]topics.Duty, error) {
	if len(names) == 0 {
		names = []string{"run"}
	}
	var duties []topics.Duty
	for _, n := range names {
		switch {
		case n == "run":
			duties = append(duties, Roles{Processor: true, Sink: true}.duties()...)
		case n == "all":
			duties = append(duties, topics.Duties()...)
		case slices.Contains(topics.Duties(), topics.Duty(n)):
			duties = append(duties, topics.Duty(n))
		default:
			return nil, Usagef("%q is none of: %s", n, DutyNames())
		}
	}
	return duties, nil
}

// DutyNames lists the names that [ParseDuties] takes.
func DutyNames() string { return "run, " + dutyNames(topics.Duties()) + ", all" }

func dutyNames(duties []topics.Duty) string {
	names := make([]string, len(duties))
	for i, d := range duties {
		names[i] = string(d)
	}
	return strings.Join(names, ", ")
}

// Principal is the name the brokers know this configuration's user by, as far as can be told from here: brokers may be
// told to map names (sasl.kerberos.*, ssl.principal.mapping.rules, another claim of a token).
func (c *Config) Principal() string {
	const user = "User:"
	switch c.Kafka.SASL.Mechanism {
	case mechanismNone:
	case mechanismBearer:
		if token, err := readToken(c.Kafka.SASL.TokenFile); err == nil {
			if subject := tokenSubject(token); subject != "" {
				return user + subject
			}
		}
		return user + "<the token's subject>"
	default:
		return user + c.Kafka.SASL.Username
	}
	if t := c.Kafka.TLS; t.Enabled && t.CertFile != "" {
		if name, err := certificateName(t); err == nil {
			return user + name
		}
	}
	return user + "ANONYMOUS"
}

// certificateName is the distinguished name of our certificate, as RFC 2253 writes it.
func certificateName(t TLSConfig) (string, error) {
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return "", err
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return "", err
	}
	var name pkix.RDNSequence
	if _, err := asn1.Unmarshal(cert.RawSubject, &name); err != nil {
		return "", err
	}
	return name.String(), nil
}

// refused says whether an error is the brokers refusing a right.
func refused(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) ||
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// diagnoseWithin bounds how long the brokers are asked what is missing: it is told to somebody who waits.
const diagnoseWithin = 30 * time.Second

// named adds to a refusal of the brokers which right is missing. Other errors it returns as they are.
func (c *Config) named(ctx context.Context, err error, duties ...topics.Duty) error {
	if !refused(err) {
		return err
	}
	if known := new(AccessError); errors.As(err, &known) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseWithin)
	defer cancel()
	missing, askErr := c.missing(ctx, duties...)
	if len(missing) > 0 { // what could be asked is better than nothing
		return c.accessError(missing, err)
	}
	if id := c.transactionRight(duties); errors.Is(err, kerr.TransactionalIDAuthorizationFailed) && len(id) > 0 {
		return c.accessError(id, err)
	}
	why := ""
	if askErr != nil {
		why = fmt.Sprintf(" (they do not say what: %v)", askErr)
	}
	return fmt.Errorf("%w: the brokers refuse %s something%s: compare what `tocsin topics acls --for %s` prints with"+
		" kafka-acls.sh --list", err, c.Principal(), why, strings.ReplaceAll(dutyNames(duties), ", ", ","))
}

func (c *Config) accessError(missing []topics.Right, err error) *AccessError {
	return &AccessError{Principal: c.Principal(), Missing: missing, Err: err,
		Commands: c.ACLCommands(c.Principal(), missing)}
}

// transactionRight picks what cannot be asked for, see provision.Missing.
func (c *Config) transactionRight(duties []topics.Duty) []topics.Right {
	return slices.DeleteFunc(c.Rights(duties...), func(r topics.Right) bool {
		return r.Type != topics.ResourceTransactionID
	})
}

// missing asks the brokers which rights the user lacks.
func (c *Config) missing(ctx context.Context, duties ...topics.Duty) ([]topics.Right, error) {
	cl, err := c.kafkaClient(provision.RightsClientOptions()...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	asked := c.Rights(duties...)
	printed := slices.Clone(asked)
	instance, err := c.instance()
	for i := range asked {
		if r := &asked[i]; r.Type == topics.ResourceTransactionID && r.Prefix && err == nil {
			r.Name, r.Prefix = c.App.ID+"-"+instance+"-0", false // the rights may be narrower than what is printed
		}
	}
	places, err := provision.Missing(ctx, cl, asked)
	missing := make([]topics.Right, len(places))
	for i, p := range places {
		missing[i] = printed[p]
	}
	return missing, err
}

// permit finds out before anything is started whether the user has all rights that the duties need. Where it cannot be
// asked, the roles find out for themselves.
func (c *Config) permit(ctx context.Context, duties ...topics.Duty) error {
	ctx, cancel := context.WithTimeout(ctx, diagnoseWithin)
	defer cancel()
	if missing, _ := c.missing(ctx, duties...); len(missing) > 0 {
		return c.accessError(missing, nil)
	}
	return nil
}

// ACLCommands gives the commands of Kafka's kafka-acls.sh that grant rights to a principal: one for all resources that
// take the same operations.
func (c *Config) ACLCommands(principal string, rights []topics.Right) []string {
	type target struct {
		kind   topics.ResourceType
		name   string
		prefix bool
	}
	var order []target
	operations := make(map[target][]topics.Operation)
	for _, r := range rights {
		t := target{r.Type, r.Name, r.Prefix}
		if operations[t] == nil {
			order = append(order, t)
		}
		operations[t] = append(operations[t], r.Operation)
	}
	for _, o := range operations {
		slices.Sort(o)
	}
	flags := map[topics.ResourceType]string{
		topics.ResourceTopic: "--topic", topics.ResourceGroup: "--group",
		topics.ResourceTransactionID: "--transactional-id",
	}
	server := "BROKER:PORT"
	if len(c.Kafka.Brokers) > 0 {
		server = c.Kafka.Brokers[0]
	}
	head := "kafka-acls.sh --bootstrap-server " + terminal.Quote(server) + " --command-config admin.properties --add" +
		" --allow-principal " + terminal.Quote(principal)
	var commands []string
	for done := make(map[target]bool); len(done) < len(order); {
		line := ""
		var first target
		for _, t := range order {
			same := t.kind == first.kind && t.prefix == first.prefix && slices.Equal(operations[t], operations[first])
			switch {
			case done[t] || line != "" && !same:
				continue
			case line == "":
				first, line = t, head
				for _, o := range operations[t] {
					line += " --operation " + string(o)
				}
				if t.prefix {
					line += " --resource-pattern-type prefixed"
				}
			}
			line += " " + flags[t.kind] + " " + terminal.Quote(t.name)
			done[t] = true
		}
		commands = append(commands, line)
	}
	return commands
}
