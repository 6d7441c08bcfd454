package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// config reads the files. section is where the settings are, for errors.
func (t TLSConfig) config(section string) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%s.ca_file: %w", section, err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca_file: %s holds no certificate in PEM form", section, t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%s.cert_file: %w", section, err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}

// tls looks at the settings of a section that can be switched on.
func (c *checker) tls(section string, t TLSConfig) {
	c.pair(section, t.CertFile, t.KeyFile)
	if !t.Enabled && (t.CAFile != "" || t.CertFile != "" || t.ServerName != "") {
		c.fail(section+".enabled", "is false although other settings of %s are there: set it to true or leave them out",
			section)
	}
}

func (c *checker) pair(section, cert, key string) {
	if (cert == "") != (key == "") {
		c.fail(section+".cert_file", "%[1]s.cert_file and %[1]s.key_file belong together: set both or neither", section)
	}
}
