package debian

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"slipway/imagebuild/distro"
)

//go:embed files/preferences
var preferences string

// Keyring is where Debian keeps the keys that sign its indexes (package debian-archive-keyring).
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// apt runs the host's apt with everything below dir.
type apt struct {
	dir     string
	trust   string // the option of every source that says whom to believe
	proxies []string
}

// newApt believes Debian's keys alone. Of environ, lines NAME=value, it gets only the proxies.
func newApt(dir string, environ []string) apt {
	return apt{dir: dir, trust: "signed-by=" + Keyring, proxies: proxies(environ)}
}

// prepare writes apt's configuration; nothing of an earlier one stays.
func (a apt) prepare(req distro.Request, mirrors distro.Mirrors) error {
	if err := os.RemoveAll(filepath.Join(a.dir, "etc")); err != nil {
		return err
	}
	for _, d := range []string{"etc/preferences.d", "etc/sources.list.d", "lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return err
		}
	}
	conf := fmt.Sprintf(`Dir "/";
Dir::Etc "%[1]s/etc";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::State "%[1]s";
Dir::State::lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::State::extended_states "%[1]s/extended_states";
Dir::Cache "%[1]s";
Dir::Cache::archives "%[1]s/archives";
APT::Architecture %[2]q;
APT::Architectures { %[2]q; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
`, a.dir, req.Architecture)
	for name, text := range map[string]string{
		"etc/sources.list": a.sources(req.Release, mirrors), "etc/preferences": preferences, "apt.conf": conf, "status": standInStatus(req.Architecture),
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// sources are the lines of sources.list(5). The indexes of a snapshot have expired and are meant to have: they are judged
// by the time that the mirror's URL names, see checkSnapshots.
func (a apt) sources(release string, mirrors distro.Mirrors) string {
	var lines strings.Builder
	for _, s := range suites(release) {
		options := a.trust
		if _, ok := snapshotTime(mirrors[s.name]); ok {
			options += " check-valid-until=no"
		}
		fmt.Fprintf(&lines, "deb [%s] %s %s main\n", options, mirrors[s.name], s.name)
	}
	return lines.String()
}

func (a apt) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "APT_CONFIG=" + filepath.Join(a.dir, "apt.conf")}, a.proxies...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return string(out), err
}

// proxies are the variables that name proxies. They are in lower case by custom, and so apt wants them.
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
