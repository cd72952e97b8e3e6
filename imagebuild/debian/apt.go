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

// apt runs the host's apt with everything below dir.
type apt struct {
	table   Table
	dir     string
	mirrors distro.Mirrors
	trust   map[string]string // by suite or repository, the option of its source that says whom to believe
	proxies []string
}

// newApt gets of the environment only the proxies.
func newApt(table Table, in distro.ResolveInput) apt {
	return apt{table: table, dir: in.Dir, mirrors: in.Mirrors, proxies: proxies(in.Environ)}
}

// prepare writes apt's configuration; nothing of an earlier one stays.
func (a apt) prepare(req distro.Request) error {
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
		"etc/sources.list": a.sources(req), "etc/preferences": preferences, "apt.conf": conf, "status": standInStatus(req.Architecture, a.table.StandsFor),
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// sources are the lines of sources.list(5). The indexes of a snapshot have expired and are meant to have: they are judged
// by the time that the mirror's URL names, see checkSnapshots.
func (a apt) sources(req distro.Request) string {
	var lines strings.Builder
	line := func(name, suite, components string) {
		options := a.trust[name]
		if _, ok := snapshotTime(a.mirrors[name]); ok {
			options += " check-valid-until=no"
		}
		fmt.Fprintf(&lines, "deb [%s] %s %s %s\n", options, a.mirrors[name], suite, components)
	}
	for _, s := range a.table.Suites(req.Release) {
		line(s.Name, s.Name, a.table.Components)
	}
	for _, r := range req.Repositories {
		line(r.Name, r.Suite, strings.Join(r.Components, " "))
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
