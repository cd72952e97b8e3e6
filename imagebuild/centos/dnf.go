package centos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"slipway/imagebuild/distro"
)

// dnf runs the host's dnf with everything below dir: nothing of the host's configuration, and nothing left in a tree.
type dnf struct {
	dir     string
	proxies []string
}

func newDNF(dir string, environ []string) dnf { return dnf{dir: dir, proxies: proxies(environ)} }

// path is a file or folder of dnf's own.
func (d dnf) path(elem ...string) string { return filepath.Join(append([]string{d.dir}, elem...)...) }

// prepare writes dnf's configuration; nothing of an earlier one stays, but for the metadata.
func (d dnf) prepare(req distro.Request, from []source) error {
	for _, dir := range []string{"etc", "root", "home", "log"} {
		if err := os.RemoveAll(d.path(dir)); err != nil {
			return err
		}
	}
	for _, dir := range []string{"etc/repos", "etc/vars", "etc/keys", "root", "home", "cache"} {
		if err := os.MkdirAll(d.path(dir), 0o755); err != nil {
			return err
		}
	}
	// dnf.conf(5). A repository that is down is an error. Recommendations are not taken: an image has what is named.
	conf := fmt.Sprintf(`[main]
reposdir=%[1]s/etc/repos
varsdir=%[1]s/etc/vars
best=1
install_weak_deps=0
skip_if_unavailable=0
metadata_expire=1
check_config_file_age=0
plugins=0
module_platform_id=platform:el%[2]s
retries=3
timeout=30
`, d.dir, req.Release)
	if err := os.WriteFile(d.path("etc/dnf.conf"), []byte(conf), 0o644); err != nil {
		return err
	}
	return os.WriteFile(d.path("etc/vars/stream"), []byte(req.Release+"-stream\n"), 0o644)
}

// list tells dnf of a repository. Its metadata must be signed where it is signed at all; packages are checked by verify.
func (d dnf) list(s source, cost int, signed bool, excluded []string) error {
	check := 0
	if signed {
		check = 1
	}
	text := fmt.Sprintf("[%s]\nname=%s\nbaseurl=%s\ngpgkey=file://%s\nrepo_gpgcheck=%d\ncost=%d\nexcludepkgs=%s\n",
		s.name, s.name, s.url, d.keyFile(s.name), check, cost, strings.Join(excluded, ","))
	return os.WriteFile(d.path("etc/repos", s.name+".repo"), []byte(text), 0o644)
}

func (d dnf) keyFile(repository string) string { return d.path("etc/keys", repository+".asc") }

// run returns what dnf printed, both streams.
func (d dnf) run(ctx context.Context, release string, args ...string) (string, error) {
	all := append([]string{
		"--config=" + d.path("etc/dnf.conf"), "--installroot=" + d.path("root"), "--releasever=" + release, "--forcearch=" + architecture,
		"--setopt=cachedir=" + d.path("cache"), "--setopt=persistdir=" + d.path("home"), // in the file they would be below the root
	}, args...)
	cmd := exec.CommandContext(ctx, "dnf", all...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=" + d.path("home")}, d.proxies...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return string(out), err
}

// proxies are the variables that name proxies, in lower case, as libcurl wants them.
func proxies(environ []string) []string {
	var out []string
	for _, line := range environ {
		switch name, value, _ := strings.Cut(line, "="); strings.ToLower(name) {
		case "http_proxy", "https_proxy", "no_proxy":
			out = append(out, strings.ToLower(name)+"="+value)
		}
	}
	return out
}
