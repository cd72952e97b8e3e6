// Package qemu runs a cluster's nodes as virtual machines on the operator's own computer: no root, no bridge, nothing
// that leaves the machine unless asked.
//
// Start with FromSpec and Plan, which are pure and say exactly which processes will run, and with Manager.Up, which
// runs them. A Manager owns one folder per cluster: its state file, each node's disk overlay, logs and sockets. It
// stops only what its own state file records and what /proc still shows to be that machine.
//
// Several nodes are on a switch of ours, package lan, which Up runs as a process, too.
//
// It does not build images or render configs, and it does not know what happens inside a guest.
// The command line is that of QEMU >= 10: https://www.qemu.org/docs/master/system/invocation.html
package qemu
