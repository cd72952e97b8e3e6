package secureboot

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/foxboron/go-uefi/pkcs7"
)

// signedData is what is to be signed as PKCS #7 has it. go-uefi's own function for it puts the time of the clock inside, so
// that no two signatures would be alike.
type signedData struct {
	kind    asn1.ObjectIdentifier
	content []byte    // without the tag and length that it gets inside
	carried bool      // in the signature, or only signed
	at      time.Time // zero: the content is signed as it is, without attributes
	bare    bool      // without the outer layer that says what it is, as variables want it
}

// The structures of RFC 2315, sections 7 and 9.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"optional"`
	}
	signerInfo struct {
		Version    int
		Issuer     issuerAndSerial
		Digest     pkix.AlgorithmIdentifier
		Attributes asn1.RawValue `asn1:"optional"`
		Encryption pkix.AlgorithmIdentifier
		Signature  []byte
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial asn1.RawValue
	}
	envelope struct {
		Version      int
		Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
		Content      contentInfo
		Certificates asn1.RawValue
		Signers      []signerInfo `asn1:"set"`
	}
)

func algorithm(oid asn1.ObjectIdentifier) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}
}

// explicit is content under a context-specific tag.
func explicit(tag int, content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: content}
}

// sign returns the DER of the signature.
func (s signedData) sign(key Key) ([]byte, error) {
	signer, err := s.signer(key)
	if err != nil {
		return nil, err
	}
	inner := contentInfo{Type: s.kind}
	if s.carried {
		sequence, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: s.content})
		if err != nil {
			return nil, err
		}
		inner.Content = explicit(0, sequence)
	}
	der, err := asn1.Marshal(envelope{
		Version: 1, Digests: []pkix.AlgorithmIdentifier{signer.Digest}, Content: inner,
		Certificates: explicit(0, key.Cert.Raw), Signers: []signerInfo{signer},
	})
	if err != nil || s.bare {
		return der, err
	}
	return asn1.Marshal(contentInfo{Type: pkcs7.OIDSignedData, Content: explicit(0, der)})
}

func (s signedData) signer(key Key) (signerInfo, error) {
	serial, err := asn1.Marshal(key.Cert.SerialNumber)
	if err != nil {
		return signerInfo{}, err
	}
	info := signerInfo{
		Version: 1, Issuer: issuerAndSerial{asn1.RawValue{FullBytes: key.Cert.RawIssuer}, asn1.RawValue{FullBytes: serial}},
		Digest: algorithm(pkcs7.OIDDigestAlgorithmSHA256), Encryption: algorithm(pkcs7.OIDEncryptionAlgorithmRSA),
	}
	digest := sha256.Sum256(s.content)
	if !s.at.IsZero() {
		attributes := (&pkcs7.Attributes{ContentType: s.kind, SigningTime: s.at.UTC(), MessageDigest: digest[:]}).Marshal()
		digest = sha256.Sum256(attributes)
		var set asn1.RawValue
		if _, err := asn1.Unmarshal(attributes, &set); err != nil {
			return signerInfo{}, err
		}
		info.Attributes = explicit(0, set.Bytes)
	}
	// PKCS #1 v1.5 takes no randomness: the same content has the same signature.
	if info.Signature, err = key.Sign(nil, digest[:], crypto.SHA256); err != nil {
		return signerInfo{}, fmt.Errorf("asking for a signature by the key of %q: %w", key.Cert.Subject.CommonName, err)
	}
	return info, nil
}
