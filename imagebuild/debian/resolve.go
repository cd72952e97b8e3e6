package debian

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Package is one archive, exactly.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`
	URL     string `json:"url"`
}

// Request is what to resolve.
type Request struct {
	Mirror, Security string // base URLs
	Release          string // trixie
	Kernel           string // package name, with /suite if it comes from another than the newest: linux-image-amd64/trixie-backports
	Packages         []string
}

//go:embed files/preferences
var preferences string

// Keyring is where Debian keeps the keys that sign its indexes (package debian-archive-keyring).
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Resolve asks apt, with a private root under dir, for the exact closure of the request. The indexes are signed and
// apt checks them, so the digests in the answer are Debian's own. The result is sorted by name. Of environ, lines
// NAME=value, apt gets only the proxies.
func Resolve(ctx context.Context, req Request, dir string, environ []string) ([]Package, error) {
	return newApt(dir, environ).resolve(ctx, req)
}

// apt runs the host's apt with everything below dir.
type apt struct {
	dir     string
	trust   string // the option of every source that says whom to believe
	proxies []string
}

// newApt believes Debian's keys alone.
func newApt(dir string, environ []string) apt {
	return apt{dir: dir, trust: "signed-by=" + Keyring, proxies: proxies(environ)}
}

func (a apt) resolve(ctx context.Context, req Request) ([]Package, error) {
	if err := a.prepare(req); err != nil {
		return nil, fmt.Errorf("preparing apt: %w", err)
	}
	if out, err := a.run(ctx, "apt-get", "update", "-q", "--error-on=any"); err != nil {
		return nil, &MirrorError{Mirror: req.Mirror, Err: err, Output: out}
	}
	args := append([]string{"install", "--yes", "--print-uris", "-o", "pkgCacheGen::ForceEssential=,", "?essential", req.Kernel}, req.Packages...)
	out, err := a.run(ctx, "apt-get", args...)
	if err != nil {
		return nil, &UnresolvedError{Missing: missingPackages(out), Output: out}
	}
	pkgs, err := a.describe(parseURIs(out))
	if err != nil {
		return nil, fmt.Errorf("reading apt's indexes: %w", err)
	}
	return pkgs, nil
}

func (a apt) prepare(req Request) error {
	for _, d := range []string{"etc/preferences.d", "lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return err
		}
	}
	var sources strings.Builder
	for _, s := range suites(req.Release) {
		mirror := req.Mirror
		if s.security {
			mirror = req.Security
		}
		fmt.Fprintf(&sources, "deb [%s] %s %s main\n", a.trust, mirror, s.name)
	}
	conf := fmt.Sprintf(`Dir "/";
Dir::Etc "%[1]s/etc";
Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::State "%[1]s";
Dir::State::lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::State::extended_states "%[1]s/extended_states";
Dir::Cache "%[1]s";
Dir::Cache::archives "%[1]s/archives";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
`, a.dir)
	for name, text := range map[string]string{
		"sources.list": sources.String(), "apt.conf": conf, "status": "", "etc/preferences": preferences,
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
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

var uriLine = regexp.MustCompile(`(?m)^'([^']+)' \S+ \d+ `)

// parseURIs picks the archive URLs out of what --print-uris said.
func parseURIs(out string) map[string]string {
	urls := map[string]string{}
	for _, m := range uriLine.FindAllStringSubmatch(out, -1) {
		urls[poolPath(unescape(m[1]))] = m[1]
	}
	return urls
}

// poolPath is the part of a URL that an index calls Filename.
func poolPath(url string) string {
	if i := strings.Index(url, "/pool/"); i >= 0 {
		return url[i+1:]
	}
	return url
}

func unescape(url string) string {
	return strings.NewReplacer("%2b", "+", "%7e", "~", "%3a", ":", "%2B", "+", "%7E", "~", "%3A", ":").Replace(url)
}

// describe finds the paragraph of every archive in the indexes that apt fetched and checked.
func (a apt) describe(urls map[string]string) ([]Package, error) {
	indexes, err := filepath.Glob(filepath.Join(a.dir, "lists", "*_Packages"))
	if err != nil {
		return nil, err
	}
	slices.Sort(indexes)
	found := map[string]Package{}
	for _, index := range indexes {
		if err := scanIndex(index, urls, found); err != nil {
			return nil, err
		}
	}
	var out []Package
	for path, url := range urls {
		p, ok := found[path]
		if !ok {
			return nil, fmt.Errorf("no index describes %q", url)
		}
		p.URL = url
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func scanIndex(path string, urls map[string]string, found map[string]Package) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	sc.Split(splitParagraph)
	for sc.Scan() {
		if p, filename := parseStanza(sc.Text()); urls[filename] != "" {
			found[filename] = p
		}
	}
	return sc.Err()
}

func splitParagraph(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
		return i + 2, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), bytes.TrimRight(data, "\n"), nil
	}
	return 0, nil, nil
}

// parseStanza reads one paragraph; its second value is the Filename.
func parseStanza(text string) (Package, string) {
	var p Package
	var filename string
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "SHA256":
			p.SHA256 = value
		case "Size":
			fmt.Sscan(value, &p.Size)
		case "Filename":
			filename = value
		}
	}
	return p, filename
}
