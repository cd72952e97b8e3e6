package role

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/node"
)

// Args are a program's flags: name without dashes -> value.
type Args map[string]string

// removed are flags that a minor no longer knows: the program would exit at once. Sources: the Kubernetes changelogs
// and siderolabs/go-kubernetes, kubernetes/upgrade/checks.go.
func removed() map[string]map[string]int {
	klog := []string{"add-dir-header", "alsologtostderr", "log-backtrace-at", "log-dir", "log-file", "log-file-max-size",
		"logtostderr", "one-output", "skip-headers", "skip-log-headers", "stderrthreshold"}
	table := map[string]map[string]int{
		"kube-apiserver": {"address": 24, "insecure-bind-address": 24, "insecure-port": 24, "port": 24,
			"service-account-api-audiences": 25, "master-service-namespace": 26, "cloud-config": 33, "cloud-provider": 33},
		"kube-controller-manager": {"address": 24, "port": 24, "deleting-pods-burst": 25, "deleting-pods-qps": 25,
			"register-retry-count": 25, "enable-taint-manager": 27, "pod-eviction-timeout": 27,
			"horizontal-pod-autoscaler-downscale-delay": 31, "horizontal-pod-autoscaler-upscale-delay": 31,
			"volume-host-allow-local-loopback": 31, "volume-host-cidr-denylist": 31},
		"kube-scheduler": {"address": 24, "port": 24, "policy-config-file": 24},
		"kubelet": {"cni-bin-dir": 24, "cni-cache-dir": 24, "cni-conf-dir": 24, "docker-endpoint": 24, "network-plugin": 24,
			"network-plugin-mtu": 24, "image-pull-progress-deadline": 24, "container-runtime": 27,
			"master-service-namespace": 27, "iptables-drop-bit": 31, "iptables-masquerade-bit": 31,
			"keep-terminated-pod-volumes": 31, "cloud-config": 34, "pod-infra-container-image": 35},
		"kube-proxy": {},
	}
	for _, flags := range table {
		for _, flag := range klog {
			flags[flag] = 26
		}
	}
	return table
}

// checkExtraArgs refuses flags that would stop a program or take formation out of Slipway's hands.
func (n *Node) checkExtraArgs() error {
	reserved, gone := node.ReservedFlags(), removed()
	for _, program := range slices.Sorted(maps.Keys(n.ExtraArgs)) {
		if _, known := reserved[program]; !known {
			return fmt.Errorf("reading extraArgs: unknown program %q\nknown are %s", program,
				strings.Join(slices.Sorted(maps.Keys(reserved)), ", "))
		}
		for _, flag := range slices.Sorted(maps.Keys(n.ExtraArgs[program])) {
			if err := n.checkFlag(program, flag, reserved[program], gone[program]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *Node) checkFlag(program, flag string, reserved []string, gone map[string]int) error {
	if flag == "" || strings.Trim(flag, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || flag[0] == '-' {
		return fmt.Errorf("reading extraArgs of %s: %q is no flag name\nwrite it without dashes, in lower case", program, flag)
	}
	if strings.ContainsFunc(n.ExtraArgs[program][flag], func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("reading extraArgs of %s: the value of %q holds a control character", program, flag)
	}
	if slices.Contains(reserved, flag) {
		return fmt.Errorf("reading extraArgs of %s: %q is set by slipway and cannot be changed", program, flag)
	}
	version := n.Versions.Kubernetes
	if program == "kubelet" {
		version = n.Versions.Kubelet
	}
	_, minor, err := MajorMinor(version)
	if since, ok := gone[flag]; err == nil && ok && minor >= since {
		return fmt.Errorf("reading extraArgs of %s: %q was removed in Kubernetes 1.%d and the cluster runs %s", program, flag, since, version)
	}
	return err
}

// Flags merges the contract's extra flags of a program over its defaults and returns "--name=value", sorted.
func (n *Node) Flags(program string, defaults Args) []string {
	merged := maps.Clone(defaults)
	maps.Copy(merged, n.ExtraArgs[program])
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		flags = append(flags, "--"+name+"="+merged[name])
	}
	return flags
}

// execArgs writes arguments for ExecStart=, one a line, quoted as systemd.syntax(7) and systemd.service(5) ask for.
func execArgs(args []string) string {
	var b strings.Builder
	for _, arg := range args {
		b.WriteString(" \\\n    " + execQuote(arg))
	}
	return b.String()
}

// execQuote keeps systemd from reading anything into an argument: % is a specifier, $ a variable, \ an escape.
func execQuote(arg string) string {
	arg = strings.NewReplacer(`%`, `%%`, `$`, `$$`, `\`, `\\`, `"`, `\"`).Replace(arg)
	if strings.ContainsAny(arg, " \t'\"\\;") {
		return `"` + arg + `"`
	}
	return arg
}
