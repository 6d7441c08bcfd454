package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"tocsin/processor/telemetry"
)

// tracesPath is where a collector takes traces over HTTP, below its base URL (OTLP 1.0).
const tracesPath = "v1/traces"

// url is where traces go; empty: nowhere.
func (o *OtelConfig) url() string {
	switch {
	case o.Disabled:
		return ""
	case o.TracesEndpoint != "":
		return o.TracesEndpoint
	case o.Endpoint == "" || o.Protocol == telemetry.ProtocolGRPC:
		return o.Endpoint
	}
	if strings.HasSuffix(strings.TrimSuffix(o.Endpoint, "/"), "/"+tracesPath) {
		return o.Endpoint // as those write it who know only the whole address
	}
	return strings.TrimSuffix(o.Endpoint, "/") + "/" + tracesPath
}

func (c *checker) otel() {
	o := c.l.Otel
	for _, e := range []struct{ path, text string }{
		{"otel.endpoint", o.Endpoint}, {"otel.traces_endpoint", o.TracesEndpoint},
	} {
		path := e.path
		u, err := url.Parse(e.text)
		switch {
		case e.text == "":
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			c.fail(path, "is no address of a collector: write http://host:4318 or https://host:4318, or \"\" for none")
		case u.User != nil:
			c.fail(path, "holds a password, and would be shown with it: use otel.headers or otel.auth_header")
		}
	}
	c.oneOf("otel.protocol", o.Protocol)
	if _, err := o.headers(); err != nil {
		c.errs = append(c.errs, err)
	}
	c.pair("otel.tls", o.TLS.CertFile, o.TLS.KeyFile)
	if o.ServiceName == "" {
		c.fail("otel.service_name", "a name must be given")
	}
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")

// headers are those sent with every request. Of those that say who we are the most exact weighs most.
func (o *OtelConfig) headers() (map[string]string, error) {
	all := map[string]string{}
	add := func(setting, name, value string) error {
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !headerName.MatchString(name) || strings.ContainsAny(value, "\r\n\x00") || value == "" {
			return fmt.Errorf("%s: not the form of a header", setting) // nothing of it is shown: it is a secret
		}
		all[strings.ToLower(name)] = value
		return nil
	}
	if o.APIKey.Set() {
		if err := add("otel.api_key", "authorization", "Bearer "+o.APIKey.Reveal()); err != nil {
			return nil, err
		}
	}
	if o.AuthHeader.Set() {
		name, value, _ := strings.Cut(o.AuthHeader.Reveal(), ":")
		if err := add("otel.auth_header", name, value); err != nil {
			return nil, fmt.Errorf("%w: write Name: value", err)
		}
	}
	for pair := range strings.SplitSeq(o.Headers.Reveal(), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.PathUnescape(value); err == nil { // as the specification of the variable says
			value = plain
		}
		if err := add("otel.headers", name, value); err != nil {
			return nil, fmt.Errorf("%w: write name=value, separated by commas", err)
		}
	}
	return all, nil
}

// closeTraces is how long the last spans may take to be sent.
const closeTraces = 3 * time.Second

// openTracing makes the tracer of the processor; nil where nobody wants traces.
func openTracing(
	ctx context.Context, cfg *Loaded, o Options, reg prometheus.Registerer, cl *closers,
) (trace.Tracer, error) {
	to := cfg.Otel.url()
	if to == "" {
		return nil, nil //nolint:nilnil // no tracer is no fault
	}
	headers, err := cfg.Otel.headers()
	if err != nil {
		return nil, err
	}
	var secure *tls.Config
	if t := cfg.Otel.TLS; t != (OtelTLSConfig{}) {
		secure, err = TLSConfig{CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile}.config("otel.tls")
		if err != nil {
			return nil, err
		}
	}
	instance, err := cfg.instance()
	if err != nil {
		return nil, err
	}
	t, err := telemetry.NewTracing(ctx, telemetry.TraceConfig{
		URL: to, Protocol: cfg.Otel.Protocol, Headers: headers, TLS: secure,
		Service: cfg.Otel.ServiceName, Version: o.Version, Instance: instance,
		Log: o.Log, Registerer: reg,
	})
	if err != nil {
		return nil, fmt.Errorf("otel: %w", err)
	}
	cl.add("traces", closeTraces+time.Second, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, closeTraces)
		defer cancel()
		return t.Close(ctx)
	})
	return t.Tracer("tocsin/processor"), nil
}
