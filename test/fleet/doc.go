// Package fleet runs many nodes at once, at native speed: each is a container whose root is that of the built image, with
// the image's own units, a network namespace for its card and an Ignition config that `slipway ignition` made. What needs
// a kernel of its own (boot loader, initrd, verity, modules) is tested in test/qemu instead; pods, which need more of one than many hosts
// have, run on workers that are virtual machines on the same switch (pods_virtual_test.go).
//
//	go test -tags fleet -timeout 30m ./test/fleet
//
// It needs root. The test lives in namespaces of its own (processes, mounts, network): whatever becomes of it, the kernel
// takes all of it away, and no packet leaves. SLIPWAY_BIN is the folder of the binaries (default ../../bin),
// SLIPWAY_TEST_DIR the work folder, kept between runs (default ../../out/test).
//
// Start with TestTopologies; the verbs of a fleet (Start, PowerCut, Wipe, Cut) are in fleet_test.go.
package fleet
