package kernel

// Modules are those of the running system. Loaded at boot are those that nothing would load in time; the others are
// named so that an image without them is refused when it is built and not when the first service is made.
func Modules() []Module {
	return []Module{
		{"overlay", true, "root file systems of containers"},
		{"br_netfilter", true, "packets between pods on one bridge pass the service rules; its sysctls need it loaded"},
		{"nf_conntrack", true, "connection tracking; its sysctls need it loaded"},

		{"ip_vs", true, "kube-proxy in ipvs mode, which looks for it and loads nothing itself in time"},
		{"ip_vs_rr", true, "ipvs scheduler: round robin, the default"},
		{"ip_vs_wrr", true, "ipvs scheduler: weighted round robin"},
		{"ip_vs_lc", true, "ipvs scheduler: least connections"},
		{"ip_vs_wlc", true, "ipvs scheduler: weighted least connections"},
		{"ip_vs_sh", true, "ipvs scheduler: by source"},
		{"ip_vs_dh", true, "ipvs scheduler: by destination"},
		{"ip_vs_mh", true, "ipvs scheduler: Maglev hashing"},
		{"ip_vs_sed", true, "ipvs scheduler: shortest expected delay"},
		{"ip_vs_nq", true, "ipvs scheduler: never queue"},
		{"dummy", false, "kube-proxy in ipvs mode keeps service addresses on kube-ipvs0"},
		{"ip_set", false, "kube-proxy in ipvs mode: sets of addresses"},
		{"ip_set_bitmap_port", false, "kube-proxy in ipvs mode: node ports"},
		{"ip_set_hash_ip", false, "kube-proxy in ipvs mode: addresses"},
		{"ip_set_hash_ipport", false, "kube-proxy in ipvs mode: service addresses and ports"},
		{"ip_set_hash_ipportip", false, "kube-proxy in ipvs mode: pods that reach themselves through a service"},
		{"ip_set_hash_ipportnet", false, "kube-proxy in ipvs mode: allowed source ranges"},

		{"nf_tables", true, "masquerading of pod traffic; kube-proxy in nftables mode; iptables is its front end as well"},
		{"nft_chain_nat", false, "masquerading of pod traffic"},
		{"nft_masq", false, "masquerading of pod traffic"},
		{"nft_ct", false, "kube-proxy in nftables mode"},
		{"nft_fib_inet", false, "kube-proxy in nftables mode"},
		{"nft_fib_ipv4", false, "kube-proxy in nftables mode, whose tables are of one family each"},
		{"nft_fib_ipv6", false, "kube-proxy in nftables mode"},
		{"nft_nat", false, "kube-proxy in nftables mode"},
		{"nft_numgen", false, "kube-proxy in nftables mode: choice of an endpoint"},
		{"nft_reject_inet", false, "kube-proxy in nftables mode: services without endpoints"},
		{"nft_reject_ipv4", false, "kube-proxy in nftables mode: services without endpoints"},
		{"nft_reject_ipv6", false, "kube-proxy in nftables mode: services without endpoints"},
		{"nft_compat", false, "iptables rules on nf_tables"},
		{"xt_MASQUERADE", false, "kube-proxy in ipvs and iptables mode, port mappings of pods"},
		{"xt_addrtype", false, "kube-proxy in ipvs and iptables mode"},
		{"xt_comment", false, "kube-proxy in ipvs and iptables mode"},
		{"xt_conntrack", false, "kube-proxy in ipvs and iptables mode"},
		{"xt_ipvs", false, "kube-proxy in ipvs mode"},
		{"xt_mark", false, "kube-proxy in ipvs and iptables mode"},
		{"xt_multiport", false, "port mappings of pods"},
		{"xt_nat", false, "kube-proxy in iptables mode, port mappings of pods"},
		{"xt_set", false, "kube-proxy in ipvs mode"},
		{"xt_statistic", false, "kube-proxy in iptables mode: choice of an endpoint"},

		{"bridge", false, "the pod network's bridge"},
		{"veth", false, "a pod's network interface"},
		{"vxlan", false, "overlay pod networks: flannel, Calico"},
		{"ipip", false, "overlay pod networks: Calico"},
		{"wireguard", false, "encrypted pod networks"},
		{"iscsi_tcp", false, "storage plug-ins that attach iSCSI volumes"},
		{"nfsv4", false, "NFS volumes"},
		{"loop", false, "images and block volumes in files"},
	}
}

// Drivers are what the initrd must carry besides the kernel's own: what leads to the verified root and its state. All else
// is loaded from that root.
func Drivers() []Module {
	return []Module{
		{"virtio_pci", false, "QEMU and other KVM platforms"},
		{"virtio_blk", false, "QEMU disk"},
		{"virtio_scsi", false, "QEMU disk"},
		{"virtio_rng", false, "QEMU entropy: random names of partitions"},
		{"qemu_fw_cfg", false, "QEMU: which platform this is, and the node's config"},
		{"vmw_pvscsi", false, "VMware paravirtual disk"},
		{"mptspi", false, "VMware LSI Logic disk"},
		{"ahci", false, "SATA disk"},
		{"ata_piix", false, "older SATA disk"},
		{"nvme", false, "NVMe disk"},
		{"megaraid_sas", false, "RAID controller of servers"},
		{"mpt3sas", false, "SAS controller of servers"},
		{"sd_mod", false, "SCSI disks"},
		{"squashfs", false, "the root file system"},
		{"ext4", false, "the state partition"},
		{"efivarfs", false, "the loader's word which disk it was read from"},
		{"overlay", false, "/etc"},
		{"dm_mod", false, "device mapper, for the verified root"},
		{"dm_verity", false, "the verified root"},
	}
}

// Cards are network cards and the like of the platforms that the image boots on. The verified root has their drivers; they
// are named so that a kernel without one is refused when the image is built.
func Cards() []Module {
	return []Module{
		{"virtio_net", false, "QEMU network card"},
		{"vmxnet3", false, "VMware network card"},
		{"e1000", false, "VMware and older network card"},
		{"e1000e", false, "Intel network card, also VMware's"},
		{"igb", false, "Intel network card of servers"},
		{"ixgbe", false, "Intel network card of servers"},
		{"i40e", false, "Intel network card of servers"},
		{"ice", false, "Intel network card of servers"},
		{"bnxt_en", false, "Broadcom network card of servers"},
		{"tg3", false, "Broadcom network card of servers"},
		{"mlx5_core", false, "NVIDIA network card of servers"},
		{"sr_mod", false, "CD drives: a config beside the disk"},
		{"xfs", false, "a file system that the config makes"},
		{"vfat", false, "the EFI system partition"},
		{"nls_ascii", false, "vfat's names"},
		{"nls_cp437", false, "vfat's names"},
		{"af_packet", false, "DHCP"},
	}
}
