// Package pkcs11 signs with a key that never leaves its token: a smart card, a hardware module, or SoftHSM in tests.
//
// Start with Parse, which reads a URI of RFC 7512, and Open, whose Key is a crypto.Signer. Modules of PKCS #11 are shared
// libraries, and slipway is one static program: OpenSC's pkcs11-tool loads them for it (ADR 41).
//
// It makes no keys and changes no token. Only RSA signatures with SHA-256 are made, as firmware wants them.
package pkcs11
