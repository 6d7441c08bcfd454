package kafkatest

import (
	"crypto/tls"

	"tocsin/processor/processortest/certificates"
)

// Files are the PEM files of a broker with [Security].
type Files = certificates.Files

// Files says where the files are.
func (b *Broker) Files() Files { return certificates.In(b.cfg.Dir) }

// makeCertificates makes them.
func (b *Broker) makeCertificates() error {
	_, err := certificates.Make(b.cfg.Dir, "kafkatest")
	return err
}

// ClientTLS is what a client of this broker needs to speak TLS with it, its certificate included.
func (b *Broker) ClientTLS() (*tls.Config, error) { return b.Files().ClientTLS() }
