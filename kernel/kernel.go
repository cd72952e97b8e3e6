// Package kernel is the data about kernels: where a distro's streams come from, which modules a node needs and why,
// the sysctl and limits profiles, the kernel command line, and the settings of common how-tos that are left out.
//
// Start with Default, change the profile with its Merge methods, and turn it into the image's files with Files. It is
// data with thin typed access: nothing is read from or written to the running system, and whether a built kernel really
// has a module or key is the builder's to check, which is why each sysctl names the module it comes from.
package kernel

import "io/fs"

// Profile is what the image sets: everything that a spec may add to or take from.
type Profile struct {
	Modules []Module
	Sysctls []Sysctl
	Limits  []Limit
}

// Default is the profile without any changes.
func Default() Profile {
	return Profile{Modules: Modules(), Sysctls: Sysctls(), Limits: Limits()}
}

// Module is one kernel module, by the name that modprobe and /proc/modules use. It may be built in.
type Module struct {
	Name string
	Load bool // at boot; else only checked to exist, as programs or the kernel load it when they need it
	Why  string
}

// Sysctl is one key in the dotted notation of sysctl.d(5).
type Sysctl struct {
	Key    string
	Value  string
	Module string // the module that must be loaded for the key to exist; "" when it always does
	Why    string
}

// Limit is one resource limit, as soft and hard value: a number or "unlimited".
type Limit struct {
	Name  string // as in limits.conf(5): nofile, nproc, memlock and core in KiB
	Value string // for both, or "soft:hard"
	Why   string
}

// Rejection is a setting of a common how-to that is left out on purpose.
type Rejection struct {
	Setting string
	Why     string
}

// File is one file of the image.
type File struct {
	Path    string // absolute
	Mode    fs.FileMode
	Content []byte
}
