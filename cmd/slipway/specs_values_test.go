package main

// words are values for one place: what people write, and what nobody should.
type words struct{ good, bad []string }

// hostileWords are for every place.
var hostileWords = []string{
	"", " ", "a b", "a\nb", "a\x00b", "%n$HOME", `"'\`, "../../etc/passwd", "-", "*", "{{.}}", "null", "~", "0", "-1", "99999999999999999999",
	"ä€", "\u202e", "infinity", "true", "://", "::1", "fe80::1%eth0", "10.0.0.1", "10.0.0.0/33",
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
}

// specSnippets are Butane files that specs name.
var specSnippets = map[string]string{
	"motd.bu":  "storage:\n  files:\n  - {path: /etc/motd, contents: {inline: hello}}\n",
	"unit.bu":  "systemd:\n  units:\n  - {name: hello.service, enabled: true, contents: \"[Service]\\nExecStart=/bin/true\\n\"}\n",
	"user.bu":  "passwd:\n  users:\n  - {name: core}\n",
	"own.bu":   "storage:\n  files:\n  - {path: /etc/slipway/node.json, contents: {inline: x}}\n",
	"boot.bu":  "storage:\n  files:\n  - {path: /etc/containerd/config.toml, contents: {inline: x}}\n",
	"raid.bu":  "storage:\n  raid:\n  - {name: data, level: raid1, devices: [/dev/sdb, /dev/sdc]}\n",
	"btrfs.bu": "storage:\n  filesystems:\n  - {device: /dev/sdb, format: btrfs}\n",
	"mask.bu":  "systemd:\n  units:\n  - {name: slipwayd.service, mask: true}\n",
	"args.bu":  "kernel_arguments:\n  should_exist: [quiet]\n",
}

var (
	addresses = words{[]string{"10.0.0.60", "10.0.0.61"}, []string{"10.0.0.11", "10.0.0.255", "10.0.0.0", "10.1.0.1", "224.0.0.1", "0.0.0.0"}}
	names     = words{[]string{"demo", "lab-1", "x"}, []string{"Demo", "-a", "a.b", "localhost", "a_b"}}
	sizes     = words{[]string{"8GiB", "16GiB", "9GiB"}, []string{"8GB", "1KiB", "64MiB", "1TiB", "8191MiB", "8388609KiB", "999999999TiB"}}
	places    = words{[]string{"lab", "VM Network", "dc-1"}, []string{"a/b", "a*", ".", "a%2fb"}}
	snippets  = words{[]string{"motd.bu", "unit.bu", "user.bu"}, []string{"own.bu", "boot.bu", "raid.bu", "btrfs.bu", "mask.bu", "args.bu", "gone.bu", "/etc/passwd"}}
	urls      = words{[]string{"http://mirror.example.org/x", "https://m.example.org"}, []string{"ftp://x", "mirror.example.org", "http://", "HTTP://UP.example.org"}}
	texts     = words{[]string{"1", "4", "a,b", "a b", "10m"}, []string{"1\n2"}}
)

// specValues is keyed by the place in the schema. "PATH.*=" are keys of a mapping, "PATH.KEY=" values for one key of it.
var specValues = map[string]words{
	"butane.*":                   snippets,
	"cluster.domain":             {[]string{"cluster.local", "k8s.example.org"}, []string{"a..b", "A.b"}},
	"cluster.epoch":              {[]string{"1", "2", "77"}, []string{"0"}},
	"cluster.id":                 names,
	"cluster.name":               names,
	"image.mirror":               urls,
	"image.packages":             {[]string{"tcpdump", "lsof", "xfsprogs", "lvm2"}, []string{"ssh", "a", "tcpdump-", "UP"}},
	"image.rootSlot":             {[]string{"450MiB", "1GiB", "600MiB"}, []string{"1MiB", "64MiB", "100KiB", "8GiB"}},
	"image.securityMirror":       urls,
	"image.size":                 sizes,
	"kernel.cmdline":             {[]string{"console=tty0", "quiet", "mitigations=off"}, []string{"rootfstype=ext4", "root=/dev/sda", "ro", "systemd.debug_shell", "rd.break", "init=/bin/sh"}},
	"kernel.limits.*":            {[]string{"1024", "1024:524288", "65536"}, []string{"infinity", "unlimited", "2:1", "1:infinity", "many", "9223372036854775808"}},
	"kernel.limits.*=":           {[]string{"nofile", "nproc", "memlock", "core"}, []string{"stack", "NOFILE"}},
	"kernel.limits.memlock=":     {[]string{"infinity", "unlimited", "64:infinity", "4096"}, nil},
	"kernel.limits.core=":        {[]string{"infinity", "0"}, nil},
	"kernel.modules.add":         {[]string{"dm_thin_pool", "vxlan", "zram", "nfs"}, []string{"br_netfilter", "a/b", "-x"}},
	"kernel.modules.remove":      {[]string{"ip_vs_nq", "wireguard", "loop"}, []string{"br_netfilter", "nf_conntrack", "nope", "ip-vs-nq"}},
	"kernel.sysctl.*":            {[]string{"1", "0", "1048576"}, []string{"a\nb", ""}},
	"kernel.sysctl.*=":           {[]string{"vm.max_map_count", "net.core.somaxconn", "vm.swappiness", "net/ipv4/tcp_sack"}, []string{"net.ipv4.conf.*.rp_filter", "panic", "net.bridge.x", "a..b", "vm.", "/vm.x"}},
	"kubernetes.extraArgs.*.*":   texts,
	"kubernetes.extraArgs.*=":    {[]string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"}, []string{"kubectl"}},
	"kubernetes.extraArgs.*.*=":  {[]string{"v"}, []string{"--v", "V"}},
	"kubernetes.kubelet":         {[]string{"v1.36.3", "v1.35.1", "v1.34.0"}, []string{"v1.31.0", "v1.33.9", "v1.38.0", "1.36.3"}},
	"kubernetes.version":         {[]string{"v1.36.3", "v1.37.2", "v1.34.1", "v1.35.4", "v1.36.0-rc.1"}, []string{"v1.33.0", "v1.38.0", "v1.36", "v2.0.0", "v1.36.3+x"}},
	"network.dns":                addresses,
	"network.gateway":            {[]string{"10.0.0.1", "10.0.0.254"}, []string{"10.0.0.11", "10.0.0.0", "10.0.0.10", "10.9.0.1"}},
	"network.loadBalancer.host":  {[]string{"k8s.example.org", "10.0.0.70"}, []string{"K8S.example.org", "a_b"}},
	"network.loadBalancer.port":  {[]string{"8443", "443", "6444"}, []string{"6443", "7443", "7400", "10250", "65536", "2379"}},
	"network.ntp":                {[]string{"pool.ntp.org", "10.0.0.4"}, []string{"a b", "ntp_1", "fe80::1%eth0"}},
	"network.podCIDR":            {[]string{"10.244.0.0/16", "10.128.0.0/14", "172.16.0.0/12"}, []string{"10.0.0.0/16", "10.244.0.1/16", "10.244.0.0/25", "fd00::/64", "0.0.0.0/0"}},
	"network.serviceCIDR":        {[]string{"10.96.0.0/16", "192.168.0.0/24", "10.96.0.0/28"}, []string{"10.96.0.0/29", "10.0.0.0/8", "10.244.3.0/24"}},
	"network.vip":                {[]string{"10.0.0.10"}, []string{"10.0.0.11", "10.0.1.10", "10.0.0.1", "10.0.0.255"}},
	"nodes.address":              {[]string{"10.0.0.91/24"}, []string{"10.0.0.91", "10.0.0.0/24", "127.0.0.1/8", "10.0.0.91/32", "fd00::1/64"}},
	"nodes.butane":               snippets,
	"nodes.gateway":              {[]string{"10.0.0.1"}, []string{"10.0.0.0", "10.9.0.1"}},
	"nodes.interface.mac":        {[]string{"52:54:00:12:34:56", "52-54-00-12-34-57"}, []string{"01:00:00:00:00:01", "52:54:00:12:34:56:78:90"}},
	"nodes.interface.name":       {[]string{"ens192", "eth0"}, []string{"a/b", "toolongforalinuxname"}},
	"nodes.labels.*":             {[]string{"a", "", "ssd_1"}, []string{"a=b", "a,b", "not ok"}},
	"nodes.labels.*=":            {[]string{"disk", "example.org/rack", "topology.kubernetes.io/zone", "node.kubernetes.io/x"}, []string{"kubernetes.io/arch", "kubernetes.io/hostname", "node-role.kubernetes.io/worker", "/a", "failure-domain.beta.kubernetes.io/zone"}},
	"nodes.name":                 names,
	"nodes.vsphere.cpus":         {[]string{"2", "8"}, []string{"129"}},
	"nodes.vsphere.disk":         sizes,
	"nodes.vsphere.memory":       {[]string{"4GiB", "8GiB"}, []string{"1MiB", "4097MiB"}},
	"nodes.vsphere.network":      places,
	"payloads.*.module":          {[]string{"github.com/example/fork"}, []string{"Fork", "a b"}},
	"payloads.*.path":            {[]string{"vendor/x"}, []string{"/abs"}},
	"payloads.*.sha256":          {[]string{"0000000000000000000000000000000000000000000000000000000000000000"}, []string{"00"}},
	"payloads.*.url":             urls,
	"payloads.*.version":         {[]string{"v1.2.3", "v3.6.16", "v3.7.3", "3.10.1"}, []string{"1.2.3", "latest"}},
	"runtime.mirrors.*":          urls,
	"runtime.mirrors.*=":         {[]string{"docker.io", "registry.example.org:5000", "_default"}, []string{"../x", "UP.example.org", "a/b"}},
	"tuning.apiCheckTimeout":     {[]string{"1s", "100ms", "2500ms", "1m"}, []string{"0s", "99ms", "61s", "1"}},
	"tuning.certificateLife":     {[]string{"8760h", "3m", "17520h"}, []string{"0s", "2m59s", "17521h", "1y"}},
	"tuning.formationGrace":      {[]string{"20s", "0s", "1m30s", "1h"}, []string{"20", "-1s", "2h", "soon"}},
	"tuning.vrrpAdvert":          {[]string{"10ms", "300ms", "1s", "1.25s"}, []string{"0s", "5ms", "305ms", "11s", "soon"}},
	"vsphere.cluster":            places,
	"vsphere.datacenter":         places,
	"vsphere.datastore":          places,
	"vsphere.folder":             {[]string{"infra", "infra/kubernetes"}, []string{"/", "a//b"}},
	"vsphere.hardwareVersion":    {[]string{"15", "21"}, []string{"16", "99"}},
	"vsphere.library":            places,
	"vsphere.machines.*.cpus":    {[]string{"2", "8"}, []string{"129"}},
	"vsphere.machines.*.disk":    sizes,
	"vsphere.machines.*.memory":  {[]string{"4GiB", "8GiB"}, []string{"1MiB", "4097MiB"}},
	"vsphere.machines.*.network": places,
	"vsphere.network":            places,
	"vsphere.pool":               {[]string{"infra/k8s"}, []string{"a//b"}},
	"vsphere.template":           places,
}

// specFlags are flags of the programs.
var specFlags = map[string]words{
	"etcd":                    {[]string{"quota-backend-bytes", "auto-compaction-retention", "logger"}, []string{"data-dir", "force-new-cluster", "unsafe-no-fsync", "discovery-srv", "enable-v2", "experimental-x"}},
	"kube-apiserver":          {[]string{"v", "audit-log-path", "goaway-chance"}, []string{"oidc-issuer-url", "authentication-config", "etcd-servers", "insecure-port", "enable-admission-plugins"}},
	"kube-controller-manager": {[]string{"v", "node-monitor-period"}, []string{"leader-elect", "cluster-signing-duration", "pod-eviction-timeout"}},
	"kube-scheduler":          {[]string{"v"}, []string{"config", "port"}},
	"kube-proxy":              {[]string{"v"}, []string{"config", "proxy-mode"}},
	"kubelet":                 {[]string{"v", "max-pods", "register-with-taints"}, []string{"tls-cert-file", "node-labels", "pod-infra-container-image", "containerd", "--v"}},
}

// specNode is a node of a shape.
func specNode(name, address string, roles ...any) any {
	return map[string]any{"name": name, "address": address, "roles": roles}
}

// specShapes are the shapes of docs/spec.md, small.
var specShapes = []func() map[string]any{
	func() map[string]any {
		return map[string]any{"cluster": map[string]any{"name": "demo"}, "network": map[string]any{},
			"nodes": []any{specNode("n1", "10.0.0.11/24", "etcd", "control-plane", "worker")}}
	},
	func() map[string]any {
		return map[string]any{"cluster": map[string]any{"name": "demo"},
			"network": map[string]any{"vip": "10.0.0.10", "loadBalancer": map[string]any{"mode": "stacked"}},
			"nodes": []any{specNode("n1", "10.0.0.11/24", "etcd", "control-plane", "worker"), specNode("n2", "10.0.0.12/24", "etcd", "control-plane"),
				specNode("n3", "10.0.0.13/24", "etcd", "control-plane", "worker")}}
	},
	func() map[string]any {
		return map[string]any{"cluster": map[string]any{"name": "demo"},
			"network": map[string]any{"vip": "10.0.0.10", "loadBalancer": map[string]any{"mode": "dedicated"}},
			"nodes": []any{specNode("lb1", "10.0.0.21/24", "lb"), specNode("e1", "10.0.0.31/24", "etcd"), specNode("cp1", "10.0.0.41/24", "control-plane"),
				specNode("cp2", "10.0.0.42/24", "control-plane"), specNode("w1", "10.0.0.51/24", "worker")}}
	},
	func() map[string]any { // one balancer without a VIP
		return map[string]any{"cluster": map[string]any{"name": "demo"},
			"network": map[string]any{"loadBalancer": map[string]any{"mode": "dedicated"}},
			"nodes": []any{specNode("lb1", "10.0.0.21/24", "lb"), specNode("n1", "10.0.0.11/24", "etcd", "control-plane"),
				specNode("n2", "10.0.0.12/24", "control-plane", "worker")}}
	},
	func() map[string]any { // flannel
		return map[string]any{"cluster": map[string]any{"name": "demo"}, "network": map[string]any{"cni": "flannel", "flannel": map[string]any{}},
			"nodes": []any{specNode("n1", "10.0.0.11/24", "etcd", "control-plane"), specNode("n2", "10.0.0.12/24", "worker")}}
	},
	func() map[string]any { // two subnets, each with a router of its own
		first, second := specNode("n1", "10.0.0.11/24", "etcd", "control-plane"), specNode("w1", "10.0.1.11/24", "worker")
		second.(map[string]any)["gateway"] = "10.0.1.1"
		return map[string]any{"cluster": map[string]any{"name": "demo"},
			"network": map[string]any{"gateway": "10.0.0.1", "cni": "none", "loadBalancer": map[string]any{"mode": "external", "host": "k8s.example.org"}},
			"nodes":   []any{first, second}}
	},
}
