package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

// writeCertificates writes an authority (ca.crt), an API server's certificate
// and key for loopback, the first address of Services and further addresses
// (apiserver.crt, apiserver.key), what it shows to kubelets (kubelet-client.crt,
// kubelet-client.key), and the key that signs tokens of ServiceAccounts
// (service-account.key). The authority's own key is never written: nothing else
// is ever signed by it.
func writeCertificates(directory string, addresses []string) error {
	authorityKey, err := newKey()
	if err != nil {
		return err
	}
	authority := template("strata test authority")
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return fmt.Errorf("cannot make the authority: %w", err)
	}
	serverKey, err := newKey()
	if err != nil {
		return err
	}
	server := template("kube-apiserver")
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 96, 0, 1)}
	for _, address := range addresses {
		server.IPAddresses = append(server.IPAddresses, net.ParseIP(address))
	}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, serverKey.Public(), authorityKey)
	if err != nil {
		return fmt.Errorf("cannot make the API server's certificate: %w", err)
	}
	clientKey, err := newKey()
	if err != nil {
		return err
	}
	client := template("kube-apiserver-kubelet-client")
	// Kubelets ask the API server what this group may do: everything.
	client.Subject.Organization = []string{"system:masters"}
	client.KeyUsage = x509.KeyUsageDigitalSignature
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	clientDER, err := x509.CreateCertificate(rand.Reader, client, authority, clientKey.Public(), authorityKey)
	if err != nil {
		return fmt.Errorf("cannot make the API server's certificate for kubelets: %w", err)
	}
	accountKey, err := newKey()
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"ca.crt":              {Type: "CERTIFICATE", Bytes: authorityDER},
		"apiserver.crt":       {Type: "CERTIFICATE", Bytes: serverDER},
		"apiserver.key":       keyBlock(serverKey),
		"kubelet-client.crt":  {Type: "CERTIFICATE", Bytes: clientDER},
		"kubelet-client.key":  keyBlock(clientKey),
		"service-account.key": keyBlock(accountKey),
	} {
		if err := os.WriteFile(filepath.Join(directory, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func keyBlock(key *ecdsa.PrivateKey) *pem.Block {
	bytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err) // a key of our own making on a known curve always encodes
	}
	return &pem.Block{Type: "EC PRIVATE KEY", Bytes: bytes}
}

func template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // the system's randomness is never short
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
}
