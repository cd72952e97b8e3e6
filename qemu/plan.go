package qemu

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Artefacts are the build's results, as absolute paths.
type Artefacts struct {
	Image    string            // shared by all nodes
	Inside   Inside            // how the disk lies in the image
	Ignition map[string]string // node -> its config
}

// Inside says how a disk lies in a file. The zero value is a raw image.
type Inside struct {
	Format string // raw, qcow2, vmdk
	Part   Extent // of a disk that is a part of the file, as in an OVA; zero: the whole file
	ESP    Extent // of the EFI system partition on the disk; needed for Options.VMware
}

// Extent is a part of something, in bytes.
type Extent struct{ Offset, Size int64 }

// Host is what the plan needs to know of this computer.
type Host struct {
	QEMU, Img  string // qemu-system-x86_64, qemu-img
	Version    Version
	Accel      Accel    // KVM or TCG
	Code, Vars string   // UEFI firmware: code (shared, read-only) and the template of each node's variables
	Switch     []string // see Tools
}

// Ports are forwarded from 127.0.0.1 to one node.
type Ports struct {
	API  int `json:"api"`  // to the node's balancer, or else its API server
	Peer int `json:"peer"` // to the node's peer API
}

// Options are the user's choices.
type Options struct {
	CPUs      int
	MemoryMiB int
	Open      bool      // let guests reach this computer and the world; default: nothing leaves the machine
	NoReboot  bool      // a guest that reboots stops instead
	Clock     time.Time // what guests' clocks show when they are switched on; zero: the time that it is
	VMware    bool      // pvscsi and vmxnet3, as vCenter gives them, instead of virtio; see diskArgs
}

// What lies in a node's folder; QEMU runs with that folder as its working directory, so its paths stay short and
// the plan does not depend on where the folder is. (A unix socket's path has at most 107 bytes.)
const (
	fileDisk    = "disk.qcow2"
	fileVars    = "vars.fd"
	fileSerial  = "serial.log"
	fileLog     = "qemu.log"
	sockQMP     = "qmp.sock"
	sockConsole = "console.sock"
	sockCheck   = "check.sock"
)

// CheckPort is the name of the virtio-serial port (/dev/virtio-ports/NAME in the guest) behind check.sock.
const CheckPort = "slipway.check"

// IgnitionKey is where Ignition's qemu platform looks for its config.
// https://coreos.github.io/ignition/supported-platforms/
const IgnitionKey = "opt/com.coreos/config"

// Process is one program to run.
type Process struct {
	Name string   // of the node; "" for the switch and the user network
	Dir  string   // working directory, relative to the cluster's folder
	Argv []string // the whole command line
	Disk []string // the command that makes the node's disk, in Dir; none without a node
}

// Plan says which processes make up the cluster: one a node and, for several nodes, first a switch that joins them and the
// user network on it.
func Plan(lab Lab, art Artefacts, host Host, ports map[string]Ports, opts Options) ([]Process, error) {
	if err := checkVersion(host.Version, host.Accel, len(lab.Machines)); err != nil {
		return nil, err
	}
	var all []Process
	if len(lab.Machines) > 1 {
		all = append(all, switchProcess(lab, host), networkProcess(lab, host, ports, opts))
	}
	for _, m := range lab.Machines {
		all = append(all, Process{
			Name: m.Name,
			Dir:  nodeDir(m.Name),
			Argv: nodeArgv(lab, m, art, host, ports, opts),
			Disk: diskCommand(lab, art, host),
		})
	}
	return all, nil
}

func nodeDir(name string) string { return filepath.Join("nodes", name) }

func nodeArgv(lab Lab, m Machine, art Artefacts, host Host, ports map[string]Ports, opts Options) []string {
	argv := []string{host.QEMU,
		"-name", processName(lab.Cluster, m.Name),
		"-uuid", m.uuid(lab.ID),
		"-no-user-config", "-nodefaults", "-display", "none",
		"-machine", "q35,vmport=off",
	}
	argv = append(argv, accelArgs(host.Accel)...)
	argv = append(argv,
		"-smp", strconv.Itoa(opts.CPUs),
		"-m", fmt.Sprintf("%dM", opts.MemoryMiB),
		"-rtc", "base="+clock(opts.Clock),
	)
	if opts.NoReboot {
		argv = append(argv, "-no-reboot")
	}
	argv = append(argv, diskArgs(art, host, opts)...)
	argv = append(argv, nicArgs(lab, m, ports, opts)...)
	argv = append(argv, portArgs()...)
	return append(argv,
		"-device", "virtio-rng-pci",
		"-fw_cfg", "name="+IgnitionKey+",file="+escape(art.Ignition[m.Name]),
	)
}

// clock is where a guest's clock begins (qemu(1), -rtc).
func clock(from time.Time) string {
	if from.IsZero() {
		return "utc"
	}
	return from.UTC().Format("2006-01-02T15:04:05")
}

func processName(cluster, node string) string { return "slipway." + cluster + "." + node }

func accelArgs(a Accel) []string {
	if a == KVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi", "-cpu", "max"}
}

// portArgs are the serial console (to a log and to whoever attaches), the check port and the monitor.
func portArgs() []string {
	return []string{
		"-chardev", "socket,id=console,server=on,wait=off,path=" + sockConsole + ",logfile=" + fileSerial + ",logappend=on",
		"-serial", "chardev:console",
		"-device", "virtio-serial-pci",
		"-chardev", "socket,id=check,server=on,wait=off,path=" + sockCheck,
		"-device", "virtserialport,chardev=check,name=" + CheckPort,
		"-chardev", "socket,id=qmp,server=on,wait=off,path=" + sockQMP,
		"-mon", "chardev=qmp,mode=control",
	}
}

// escape doubles the commas of a path inside a QEMU option.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }

func parent(path string) string { return filepath.Dir(path) }
