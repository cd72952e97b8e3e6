// Package standin builds images of distributions whose mirrors a build machine may not reach, from archives with their shape
// (tools/ubuntu-standin), and looks at what came out. Start with TestUbuntu. It needs `make build`, Debian's mirrors and the
// build tag standin; nothing boots here.
package standin
