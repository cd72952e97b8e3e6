// Package qemu tests what `slipway build` makes: it boots the image by UEFI in a virtual machine, with a node config,
// and asserts from outside (serial console, forwarded ports) and from inside. Of ours it imports help for tests alone: it drives
// bin/slipway, as a user would.
//
// Inside, a small agent that testdata/check.bu installs through the spec's own Butane hook answers on a virtio-serial
// port; nothing ever listens for it on the network.
//
//	go test -tags qemu -timeout 90m ./test/qemu
//
// SLIPWAY_BIN is the folder of the binaries (default ../../bin), SLIPWAY_TEST_DIR the work folder, kept between runs
// (default ../../out/test).
//
// Start with TestSingleNode; its table lists the checks, one file a topic.
package qemu
