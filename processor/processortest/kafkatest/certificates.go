package kafkatest

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

// Files are the PEM files of a broker with [Security].
type Files struct {
	CA         string // of the authority that signed the broker's certificate and the client's
	OtherCA    string // of one that signed nothing
	ClientCert string
	ClientKey  string
}

// brokerFile holds the broker's key and certificate.
const brokerFile = "broker.pem"

// Files says where the files are.
func (b *Broker) Files() Files {
	at := func(name string) string { return filepath.Join(b.cfg.Dir, name) }
	return Files{
		CA: at("ca.pem"), OtherCA: at("other-ca.pem"), ClientCert: at("client.pem"), ClientKey: at("client-key.pem"),
	}
}

// makeCertificates makes an authority, a certificate of the broker for 127.0.0.1 and localhost, and one for clients.
// They are good for a day.
func (b *Broker) makeCertificates() error {
	now := time.Now()
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		}
	}
	authority := template("kafkatest authority")
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	ca, err := issue(authority, nil)
	if err != nil {
		return err
	}
	other, err := issue(authority, nil)
	if err != nil {
		return err
	}
	server := template("kafkatest broker")
	server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	broker, err := issue(server, ca)
	if err != nil {
		return err
	}
	user := template("kafkatest client")
	user.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	client, err := issue(user, ca)
	if err != nil {
		return err
	}
	f := b.Files()
	for path, text := range map[string][]byte{
		f.CA: ca.certPEM(), f.OtherCA: other.certPEM(), f.ClientCert: client.certPEM(), f.ClientKey: client.keyPEM,
		filepath.Join(b.cfg.Dir, brokerFile): append(broker.keyPEM, broker.certPEM()...),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return fmt.Errorf("write certificate: %w", err)
		}
	}
	return nil
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

// ClientTLS is what a client of this broker needs to speak TLS with it, its certificate included.
func (b *Broker) ClientTLS() (*tls.Config, error) {
	f := b.Files()
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
