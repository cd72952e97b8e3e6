package kernel

// Sysctls is the profile. The values hold for nodes from 4 GiB of memory on: limits that cost memory only when used are
// generous, those that cost it at once are not.
func Sysctls() []Sysctl {
	return []Sysctl{
		{"net.ipv4.ip_forward", "1", "", "a node routes its pods' traffic"},
		{"net.bridge.bridge-nf-call-iptables", "1", "br_netfilter", "packets between pods on one bridge pass the service rules"},
		{"net.bridge.bridge-nf-call-ip6tables", "1", "br_netfilter", "as above, IPv6"},

		{"net.netfilter.nf_conntrack_max", "262144", "nf_conntrack", "connections tracked at once: at most about 85 MB when full"},
		{"net.netfilter.nf_conntrack_buckets", "65536", "nf_conntrack", "hash table for it: four entries a bucket when full, 512 KiB"},
		{"net.netfilter.nf_conntrack_tcp_timeout_established", "86400", "nf_conntrack", "a day instead of five: dead connections leave the table; kube-proxy's value"},
		{"net.netfilter.nf_conntrack_tcp_timeout_close_wait", "3600", "nf_conntrack", "an hour, for programs that close late; kube-proxy's value"},

		{"net.ipv4.tcp_keepalive_time", "600", "", "notice dead peers after ten minutes, not two hours; below the idle limit of most firewalls"},
		{"net.ipv4.tcp_keepalive_intvl", "15", "", "... then ask every 15 s"},
		{"net.ipv4.tcp_keepalive_probes", "3", "", "... three times"},
		{"net.core.somaxconn", "16384", "", "longer accept queues for API servers and balancers when many clients return at once"},
		{"net.ipv4.tcp_max_syn_backlog", "16384", "", "the same for half-open connections"},
		{"net.ipv4.neigh.default.gc_thresh1", "1024", "", "neighbours: no collection for ordinary clusters"},
		{"net.ipv4.neigh.default.gc_thresh2", "4096", "", "neighbours: soft limit"},
		{"net.ipv4.neigh.default.gc_thresh3", "8192", "", "neighbours: hard limit; the default of 1024 overflows in large subnets"},

		{"fs.inotify.max_user_instances", "8192", "", "every container's log and many programs watch files, all as one user"},
		{"fs.inotify.max_user_watches", "524288", "", "as above; about 1 KiB for each that is used"},
		{"vm.max_map_count", "1048576", "", "databases and search engines map more files than the default of 65530"},

		{"vm.overcommit_memory", "1", "", "memory is promised by the scheduler, not counted by the kernel; the kubelet sets it otherwise"},
		{"vm.panic_on_oom", "0", "", "a pod out of memory is killed, the node lives; the kubelet's value"},
		{"kernel.panic", "10", "", "a node that panicked comes back by itself; the kubelet's value"},
		{"kernel.panic_on_oops", "1", "", "a kernel that is no longer sane does not go on; the kubelet's value"},
		{"kernel.keys.root_maxkeys", "1000000", "", "one key ring for every container; the kubelet's value"},
		{"kernel.keys.root_maxbytes", "25000000", "", "as above: 25 bytes a key"},
	}
}

// Limits is the profile of resource limits, for services through systemd and for logins through PAM.
func Limits() []Limit {
	return []Limit{
		{"nofile", "65536:1048576", "servers may raise it; programs that loop over all descriptors get a bearable number"},
		{"nproc", "131072", "counted per user, and pods of one user number share it: the default, about 15000 on 4 GiB, is soon used up"},
		{"memlock", "unlimited", "eBPF and databases lock memory; a pod's memory limit counts it all the same"},
		{"core", "0", "a core dump would write keys to disk"},
	}
}
