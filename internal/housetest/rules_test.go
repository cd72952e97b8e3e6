package housetest

// module is the path of this module.
const module = "slipway"

// room is one folder of the house and what it may import of ours. A folder inside a room may import the rest of its
// room, unless it has a room of its own.
type room struct {
	folder string
	may    []string
	why    string
}

// testRooms is what the tests of a folder may import of ours beside what the folder may, and helpers for tests.
var testRooms = map[string][]string{
	"ova/vsphere": {"internal/grain"}, // the disks that it sends are made for the test
	"imagebuild":  {"initrd"},         // a disk that is laid out here is divided there
}

// rooms is matched by the longest folder. A package in no room fails the test: find out where it belongs.
var rooms = []room{
	{"cmd/slipway", []string{"cluster", "cluster/pki", "cluster/ignition", "imagebuild", "kernel", "ova", "ova/vsphere", "pack", "pxe", "qemu", "firstboot", "node", "roles", "internal/grain", "internal/finding", "internal/durable"},
		"the operator's command line may use everything but test/"},
	{"cmd/slipwayd", []string{"firstboot", "node"}, "the daemon's main only starts firstboot"},
	{"cmd/slipway-init", []string{"initrd"}, "the initrd's program is how package initrd asks the kernel"},
	{"cluster", []string{"node", "kernel"}, "the spec knows the contract and the kernel's data, not who uses it"},
	{"cluster/pki", []string{"cluster", "node", "internal/durable"}, "keys are made for a spec and named by the contract"},
	{"cluster/ignition", []string{"cluster", "cluster/pki", "node", "kernel", "roles"}, "configs carry the contract and the keys, and nothing that the roles refuse or write themselves"},
	{"imagebuild", []string{"cluster", "kernel", "node", "imagebuild/drivers", "initrd/modules", "internal/grain", "internal/finding", "internal/durable"}, "the image is the same for all nodes: it must not know roles or formation"},
	{"imagebuild/debian", []string{"imagebuild"}, "a distribution's driver sees the seam that it fills"},
	{"imagebuild/drivers", []string{"imagebuild", "imagebuild/debian"}, "one place knows which distributions there are; everybody else sees distro.Driver"},
	{"initrd", []string{"node", "initrd/modules"}, "process 1 of the initrd is small, and knows the contract alone"},
	{"initrd/modules", nil, "who packs modules and who loads them read the same tables"},
	{"kernel", nil, "kernel is data for everybody, so it depends on nobody"},
	{"roles", []string{"node", "kernel"}, "roles are pure functions of the node config, the same when previewed and at boot"},
	{"firstboot", []string{"roles", "node"}, "the daemon parses only its contract; what it needs from the spec goes through it"},
	{"node", nil, "the contract is shared by build time and boot time, so it depends on neither"},
	{"ova", []string{"internal/grain", "internal/finding"}, "bytes in, bytes out"},
	{"ova/vsphere", []string{"ova"}, "the vCenter client sends what ova makes"},
	{"pack", []string{"imagebuild", "ova", "internal/grain", "internal/finding"}, "pack knows formats and files, not what is in the disk or who wants it"},
	{"pxe", []string{"cluster"}, "PXE serves what the spec describes"},
	{"qemu", []string{"cluster", "internal/durable"}, "the runner boots what the spec describes, from files"},
	{"tools", nil, "tools are other people's programs, built for tests"},
	{"test", nil, "tests of built artefacts use the built programs only"},
	{"internal", nil, "helpers of tests depend on nothing, and no program imports them"},
	{"internal/durable", nil, "everybody who writes a file for good uses it, so it knows nobody"},
	{"internal/finding", nil, "every checker reports with it, so it knows none of them"},
	{"internal/grain", nil, "both disk formats are written on top of it, so it knows neither"},
}

// ban forbids packages, by prefix, to everything below a folder.
type ban struct {
	folder   string
	packages []string
	direct   bool // only the folder's own imports: the standard library uses os and time everywhere
	why      string
}

var bans = []ban{
	{"firstboot", []string{
		"github.com/diskfs/go-diskfs", "github.com/coreos/butane", "github.com/spf13/cobra", "github.com/vmware/govmomi",
		"k8s.io/client-go", module + "/imagebuild", module + "/ova", module + "/cluster",
	}, false, "firstboot is the program on the target: small, and it parses only its contract"},
	{"cmd/slipwayd", []string{
		"github.com/diskfs/go-diskfs", "github.com/coreos/butane", "github.com/spf13/cobra", "github.com/vmware/govmomi",
		"k8s.io/client-go", module + "/imagebuild", module + "/ova", module + "/cluster",
	}, false, "slipwayd is the program on the target: small, and it parses only its contract"},
	{"initrd", []string{"net", "crypto/tls", "github.com", "k8s.io", "gopkg.in"}, false, "process 1 of the initrd is small: what it lacks it runs from the verified root"},
	{"cmd/slipway-init", []string{"net", "crypto/tls", "github.com", "k8s.io", "gopkg.in"}, false, "process 1 of the initrd is small: what it lacks it runs from the verified root"},
	{"roles", []string{"os", "net", "math/rand", "crypto/rand", "syscall", "golang.org/x/sys"}, true,
		"roles are pure: what they need comes in as values, so that a preview is the truth"},
	{"ova", []string{"github.com/diskfs/go-diskfs", "github.com/coreos/ignition", module + "/roles", module + "/cluster"}, false,
		"ova turns bytes into bytes; it must not learn what is in them"},
	{"imagebuild", []string{"github.com/vmware/govmomi"}, false, "building an image never talks to vCenter"},
}

// harmless is what looks like a banned package but only computes.
var harmless = []string{"net/netip", "net/url", "net/mail", "net/textproto"}

// clockless folders never ask for the time: it comes in as a value.
var clockless = []string{"roles", "kernel", "node"}
