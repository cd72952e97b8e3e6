// Package secureboot is UEFI Secure Boot without a firmware: it signs EFI programs, says what is wrong with a signature, and
// makes the signed variables from which a boot loader enrols keys. Bytes in, bytes out.
//
// Start with Sign, Check and Update. Keys are any crypto.Signer of RSA: package pkcs11 has one whose key never leaves a token.
// What is made depends on the input alone: the same key, program and time give the same bytes.
//
// It keeps no keys (cluster/pki does), checks no chains of certificates, and knows neither revocation nor signatures other than
// RSA with SHA-256, which is all that firmware must know.
//
// Formats: UEFI 2.10, sections 8.2 and 32; "Windows Authenticode Portable Executable Signature Format"; PKCS #7, RFC 2315. The
// parts that are only encoding come from github.com/foxboron/go-uefi (ADR 40).
package secureboot
