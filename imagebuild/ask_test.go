package imagebuild

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/imagebuild/overlay"
	"slipway/imagebuild/payload"
	"slipway/internal/durable"
)

// nosy says what it is called and what it can do where it runs.
const nosy = `package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	name, args := os.Args[0], os.Args[1:]
	switch {
	case len(args) == 1 && args[0] == "flood":
		for {
			if _, err := os.Stdout.Write(make([]byte, 1<<20)); err != nil {
				panic(err)
			}
		}
	case len(args) == 1 && args[0] == "fail":
		fmt.Fprintln(os.Stderr, "no such thing")
		os.Exit(1)
	}
	fmt.Println(name, args, os.Getuid(), os.Getgid())
	_, err := os.Stat(HOST)
	fmt.Println("host:", err == nil)
	fmt.Println("write:", os.WriteFile("/etc/x", nil, 0o644) == nil, os.WriteFile("/run/x", nil, 0o644) == nil)
	_, err = net.Dial("tcp", ADDRESS)
	fmt.Println("network:", err == nil)
	_, err = os.Stat("/etc/of-the-tree")
	fmt.Println("tree:", err == nil)
	fmt.Println("environment:", len(os.Getenv("SECRET")) > 0)
}
`

// program builds one for the tests; it must be static, the tree has nothing else.
func program(t *testing.T, source string) payload.InstalledFile {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-o", path, filepath.Join(dir, "main.go"))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sum, err := durable.Digest(path)
	if err != nil {
		t.Fatal(err)
	}
	return payload.InstalledFile{HostPath: path, SHA256: sum, Mode: 0o755}
}

// treeBuilder has a tree that holds nothing but what running a static program needs.
func treeBuilder(t *testing.T) *builder {
	t.Helper()
	b := testBuilder(t, func(*Options) {})
	b.tree, b.treeKey = t.TempDir(), "tree"
	for _, dir := range []string{"run", "etc"} {
		if err := os.Mkdir(filepath.Join(b.tree, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(b.tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.tree, "etc/of-the-tree"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

// Programs that are asked, downloaded ones with them, run as nobody in the tree: not on the host, not on a network.
func TestAskedProgramSeesOnlyTheTree(t *testing.T) {
	b := treeBuilder(t)
	address := listen(t)
	source := strings.NewReplacer("HOST", fmt.Sprintf("%q", b.opt.Out), "ADDRESS", fmt.Sprintf("%q", address)).Replace(nosy)
	asked := program(t, source)
	t.Setenv("SECRET", "s")
	for range 2 { // the second time from the cache
		got, err := b.ask(t.Context(), asked, "kubectl", "completion", "bash")
		want := "/run/kubectl [completion bash] 65534 65534\nhost: false\nwrite: false false\nnetwork: false\ntree: true\nenvironment: false\n"
		if err != nil || string(got) != want {
			t.Fatalf("%v\n%s", err, got)
		}
		os.Remove(asked.HostPath)
	}
	if left, err := filepath.Glob(filepath.Join(b.opt.Cache, "ask", "*", "*")); err != nil || len(left) != 1 {
		t.Errorf("left %v %v", left, err)
	}
}

func TestAskedProgramIsBounded(t *testing.T) {
	b := treeBuilder(t)
	asked := program(t, strings.NewReplacer("HOST", `"/"`, "ADDRESS", `"x"`).Replace(nosy))
	for arg, want := range map[string]string{"flood": "asking etcd in the image's tree: exit status", "fail": "no such thing"} {
		if _, err := b.ask(t.Context(), asked, "etcd", arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

// A release or file of Kubernetes gives seven programs, and kubectl is not the first.
func TestKubernetesOfLoosePrograms(t *testing.T) {
	b := treeBuilder(t)
	kubectl := program(t, `package main

import (
	"fmt"
	"os"
	"path"
)

func main() { fmt.Println("completion of", path.Base(os.Args[0]), os.Args[1:]) }
`)
	res := payload.Result{Item: payload.Item{Name: "kubernetes", Class: payload.ClassRoot, Source: payload.SourceRelease}}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubeadm", "kubectl", "kubelet"} {
		f := payload.InstalledFile{Path: "/usr/bin/" + name, HostPath: "/nowhere/" + name, SHA256: name, Mode: 0o755}
		if name == "kubectl" {
			f.HostPath, f.SHA256 = kubectl.HostPath, kubectl.SHA256
		}
		res.Files = append(res.Files, f)
	}
	entries, err := b.place(t.Context(), res)
	if err != nil || len(entries) != 8 {
		t.Fatalf("%d entries: %v", len(entries), err)
	}
	if got := completion(entries); got != "completion of kubectl [completion bash]\n" {
		t.Errorf("got %q", got)
	}
	b.results = []payload.Result{res}
	if err := b.keepKubectl(); err != nil {
		t.Fatal(err)
	}
	if got, err := durable.Digest(filepath.Join(b.opt.Out, "kubectl")); err != nil || got != kubectl.SHA256 {
		t.Errorf("beside the artefacts: %s %v", got, err)
	}
}

// The program of many names is called by the name that it is asked by.
func TestKubernetesOfOneProgram(t *testing.T) {
	b := treeBuilder(t)
	kube := program(t, "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(os.Args[0]) }\n")
	kube.Path = "/usr/bin/kube"
	res := payload.Result{Item: payload.Item{Name: "kubernetes", Class: payload.ClassRoot}, Files: []payload.InstalledFile{
		kube, {Path: "/usr/bin/kubeadm", Symlink: "kube"}, {Path: "/usr/bin/kubectl", Symlink: "kube"},
	}}
	entries, err := b.place(t.Context(), res)
	if got := completion(entries); err != nil || got != "/run/kubectl" {
		t.Errorf("got %q %v", got, err)
	}
}

func completion(entries []overlay.Entry) string {
	for _, e := range entries {
		if strings.HasSuffix(e.Path, "/completions/kubectl") {
			return string(bytes.Clone(e.Content))
		}
	}
	return ""
}
