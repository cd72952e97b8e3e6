package distro

// Installed is a package that a tree has, as the distribution's own database knows it.
type Installed struct {
	Name, Version, Architecture string

	PURL     string // package URL, as vulnerability scanners look it up
	Supplier string // who distributes it: Debian
	Homepage string
	Source   Source   // what it was built from
	Using    []Source // whose code went into it besides its own: static libraries, compilers' runtimes
	Needs    []string // names of packages that it depends on

	// What Driver.Contents adds.
	Files   []string      // absolute paths of what it brought, as the database has them
	Licence string        // SPDX expression over all of its source; "" when nothing says it to a program
	Texts   []LicenceText // of the licences in it that SPDX has no name for
}

// Source is a source package.
type Source struct{ Name, Version, PURL string }

// LicenceText is a licence that SPDX has no name for.
type LicenceText struct {
	ID   string // LicenseRef-..., the same for the same name and text
	Name string // as the distribution calls it
	Text string
}
