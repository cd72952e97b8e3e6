// Package distro is what building an image knows of a Linux distribution, whichever it is: what is asked of one, and the
// packages that it answers with. Start with Request and Package. How a distribution resolves, fetches and unpacks is in
// the folder of its driver.
package distro

// Request is what an image asks of its distribution. Where the bytes come from is no part of it: see Mirrors.
type Request struct {
	Name         string   `json:"name"`         // debian
	Release      string   `json:"release"`      // trixie
	Architecture string   `json:"architecture"` // as the distribution calls it: amd64
	Kernel       string   `json:"kernel"`       // package, with /archive if it comes from another than the newest
	Packages     []string `json:"packages"`     // sorted
}

// Package is one archive file, exactly. Its digest says what it is; Archive and Path say where mirrors have it.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Source  string `json:"source,omitempty"` // the source package that it was built from, if that has another name
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`    // bytes
	Archive string `json:"archive"` // the part of the distribution that had it: trixie-security
	Path    string `json:"path"`    // below the archive's mirror
}

// Mirrors are the base URLs of a distribution's archives, by the archive's name.
type Mirrors map[string]string
