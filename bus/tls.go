package bus

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// tlsTimeout bounds a handshake, in seconds, as the server counts it.
const tlsTimeout = 5

// TLSFiles are the PEM files of one end of TLS links. The zero value is no TLS.
type TLSFiles struct {
	Cert, Key string // of this end; both or neither
	CA        string // who signed the other end's; "": whom this machine trusts
	Verify    bool   // as a server, ask clients for a certificate that CA signed
}

// Given reports whether there is anything to load.
func (f TLSFiles) Given() bool { return f != TLSFiles{} }

// Load reads the files. The result serves both ends of a link.
func (f TLSFiles) Load() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if (f.Cert == "") != (f.Key == "") {
		return nil, fmt.Errorf("%w: TLS has cert %q and key %q; allowed: both, or neither", ErrInvalidConfig, f.Cert, f.Key)
	}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("%w: TLS certificate %s with key %s: %w", ErrInvalidConfig, f.Cert, f.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("%w: TLS authority: %w", ErrInvalidConfig, err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: TLS authority %s has no certificate in it; allowed: PEM", ErrInvalidConfig, f.CA)
		}
		c.RootCAs, c.ClientCAs = pool, pool
	}
	if f.Verify {
		if f.CA == "" || f.Cert == "" {
			return nil, fmt.Errorf("%w: TLS has verify without ca, cert and key; allowed: all of them, for an end that verifies must show a certificate too", ErrInvalidConfig)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}
