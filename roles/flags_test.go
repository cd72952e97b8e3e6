package roles_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/node"
	"slipway/roles"
)

var execStart = regexp.MustCompile(`(?m)^ExecStart=/usr/bin/(\S+)((?: \\\n    \S+)+)`)

// TestFlagsExist checks every generated flag against what the programs' own --help lists (testdata/flags): an unknown
// flag stops a program at once.
func TestFlagsExist(t *testing.T) {
	checked := 0
	for _, path := range cases(t, "[^b]*") {
		archive := parse(t, path)
		out, err := roles.Render(contract(t, archive))
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range out.Units {
			for _, m := range execStart.FindAllStringSubmatch(string(unit.Content), -1) {
				checked += checkFlags(t, filepath.Base(path), m[1], strings.Fields(m[2]))
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d flags were checked: does the units' form still match?", checked)
	}
}

func checkFlags(t *testing.T, name, program string, args []string) int {
	t.Helper()
	help, err := os.ReadFile(filepath.Join("testdata", "flags", program+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, arg := range args {
		flag, _, found := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !found { // the backslash at a line's end
			continue
		}
		checked++
		if strings.HasPrefix(flag, "experimental-") && name == "nftables.txtar" {
			continue // etcd 3.5, whose help is not kept
		}
		if !strings.Contains("\n"+string(help), "\n"+flag+"\n") {
			t.Errorf("%s: %s knows no --%s", name, program, flag)
		}
	}
	return checked
}

// TestFlagsAreOurs: a flag that a role sets is either reserved, or here because a user may know better.
func TestFlagsAreOurs(t *testing.T) {
	overridable := map[string][]string{
		"etcd": {"enable-grpc-gateway", "experimental-compact-hash-check-enabled", "experimental-initial-corrupt-check", "feature-gates", "logger", "tls-min-version"},
		"kube-apiserver": {"allow-privileged", "enable-admission-plugins", "enable-aggregator-routing", "etcd-healthcheck-timeout", "etcd-readycheck-timeout", "goaway-chance", "kubelet-preferred-address-types",
			"profiling", "service-account-issuer", "shutdown-delay-duration", "shutdown-send-retry-after", "tls-min-version"},
		"kube-controller-manager": {"cluster-name", "flex-volume-plugin-dir", "profiling", "tls-min-version"},
		"kube-scheduler":          {"tls-min-version"},
	}
	used := map[string]bool{}
	for _, path := range cases(t, "[^b]*") {
		cfg := contract(t, parse(t, path))
		out, err := roles.Render(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range out.Units {
			for _, m := range execStart.FindAllStringSubmatch(string(unit.Content), -1) {
				if !slices.Contains(node.Programs(), m[1]) {
					continue // no spec gives it flags
				}
				for _, flag := range flagsOf(m[2]) {
					if _, extra := cfg.ExtraArgs[m[1]][flag]; extra {
						continue
					}
					used[m[1]+" "+flag] = true
					why, _ := node.RefuseFlag(m[1], flag, "v0.0.0")
					if may := slices.Contains(overridable[m[1]], flag); may == (why != "") {
						t.Errorf("%s: --%s of %s: reserved %t, overridable %t", filepath.Base(path), flag, m[1], why != "", may)
					}
				}
			}
		}
	}
	for program, flags := range overridable {
		for _, flag := range flags {
			if !used[program+" "+flag] {
				t.Errorf("no role sets --%s of %s", flag, program)
			}
		}
	}
	if len(used) < 70 {
		t.Errorf("only %d flags were seen: does the units' form still match?", len(used))
	}
}

// flagsOf is the names in a unit's list of arguments.
func flagsOf(args string) []string {
	var names []string
	for _, arg := range strings.Fields(args) {
		if name, _, found := strings.Cut(strings.TrimPrefix(arg, "--"), "="); found {
			names = append(names, name)
		}
	}
	return names
}
