// Package certificates makes certificates for the TLS of servers in tests: an authority, a server's certificate for
// 127.0.0.1 and localhost, one for clients, and an authority that signed nothing. They are good for a day.
package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Files are PEM files.
type Files struct {
	CA         string // of the authority that signed the server's certificate and the client's
	OtherCA    string // of one that signed nothing
	Server     string // key and certificate of the server
	ClientCert string
	ClientKey  string
}

// In says how the files are named in a folder.
func In(dir string) Files {
	at := func(name string) string { return filepath.Join(dir, name) }
	return Files{
		CA: at("ca.pem"), OtherCA: at("other-ca.pem"), Server: at("server.pem"), ClientCert: at("client.pem"),
		ClientKey: at("client-key.pem"),
	}
}

// Make writes the files. The names of the certificates begin with name.
func Make(dir, name string) (Files, error) {
	f := In(dir)
	now := time.Now()
	template := func(who string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name + " " + who},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		}
	}
	authority := template("authority")
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	ca, err := issue(authority, nil)
	if err != nil {
		return f, err
	}
	other, err := issue(authority, nil)
	if err != nil {
		return f, err
	}
	server := template("server")
	server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	serverCert, err := issue(server, ca)
	if err != nil {
		return f, err
	}
	user := template("client")
	user.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	client, err := issue(user, ca)
	if err != nil {
		return f, err
	}
	for path, text := range map[string][]byte{
		f.CA: ca.certPEM(), f.OtherCA: other.certPEM(), f.ClientCert: client.certPEM(), f.ClientKey: client.keyPEM,
		f.Server: append(serverCert.keyPEM, serverCert.certPEM()...),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return f, fmt.Errorf("write certificate: %w", err)
		}
	}
	return f, nil
}

// issued is a certificate with its key.
type issued struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	keyPEM []byte
}

func (i *issued) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})
}

// issue makes a key and a certificate for it, signed by another or, where there is none, by itself.
func issue(template *x509.Certificate, by *issued) (*issued, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if by == nil {
		by = &issued{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key) // the one form that Kafka reads
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return &issued{cert: cert, key: key, keyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})}, nil
}

// ClientTLS is what a client needs to speak TLS with the server, its certificate included.
func (f Files) ClientTLS() (*tls.Config, error) {
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("read the authority: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(f.ClientCert, f.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("read the client's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
