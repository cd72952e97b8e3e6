package kernel

// Rejected are settings that how-tos for Kubernetes nodes carry on and that are left out here, each with the reason. A
// spec may still set one; the builder refuses those that the kernel does not have.
func Rejected() []Rejection {
	return []Rejection{
		{"net.ipv4.ip_conntrack_max = 131072", "gone since Linux 2.6.20: net.netfilter.nf_conntrack_max"},
		{"fs.may_detach_mounts = 1", "only ever existed in RHEL 7 kernels; every kernel since 3.18 behaves so"},
		{"net.ipv4.tcp_timestamps = 0", "disables PAWS and round-trip measurement, and makes tcp_tw_reuse without effect"},
		{"net.ipv4.tcp_tw_reuse = 1", "needs tcp_timestamps, which the same lists turn off; the default, 2, does it for loopback, where it is surely safe"},
		{"net.ipv4.tcp_max_tw_buckets = 36000", "the default follows the machine's memory; where this is lower, TIME-WAIT ends early, which it must not"},
		{"net.ipv4.tcp_max_orphans = 327680", "up to 64 KiB each: 20 GiB of kernel memory; the default follows the machine's memory"},
		{"net.ipv4.tcp_orphan_retries = 3", "lower than the default of 8: closes to slow peers are lost"},
		{"net.ipv4.tcp_syncookies = 1", "the default"},
		{"net.netfilter.nf_conntrack_max = 2310720", "over 700 MB of kernel memory when full, far too much on a small node"},
		{"fs.file-max = 52706963", "systemd raises it to the maximum at boot; a number can only lower it"},
		{"fs.nr_open = 52706963", "systemd raises it to 1073741816 at boot; a number can only lower it"},
		{"fs.inotify.max_user_watches = 89100", "too few for a node full of pods: the profile has more"},
		{"vm.swappiness = 0", "there is no swap"},
		{"nofile 655360, DefaultLimitNOFILE=1024000", "as soft limit it makes programs that loop over all descriptors crawl; the hard limit here is higher"},
		{"nproc 655360, DefaultLimitNPROC=1024000", "beyond what such machines can run at all; a pod's limit is the kubelet's podPidsLimit"},
		{"ip_vs_lblc, ip_vs_lblcr", "schedulers for caching proxies; kube-proxy documents none of them"},
		{"ip_vs_fo", "failover by weight; kube-proxy gives every endpoint the same"},
		{"ip_vs_ftp", "rewrites FTP; kube-proxy's rules do not use it"},
		{"ip_tables", "the old interface; iptables here speaks nf_tables"},
		{"ipt_set", "never a module of current kernels: xt_set"},
		{"ipt_rpfilter, ipt_REJECT", "the old interface's; nf_tables has its own and loads it when a rule needs it"},
		{"nf_conntrack_ipv4", "merged into nf_conntrack in Linux 4.19"},
		{"net.ipv4.conf.all.arp_ignore, arp_announce", "only when the spec asks for strictARP, and then kube-proxy sets them"},
	}
}
