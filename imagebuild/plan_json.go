package imagebuild

// PlanSummary is a plan for other programs: `slipway build --dry-run --json`.
type PlanSummary struct {
	Image    string           `json:"image"`
	Debug    bool             `json:"debug"`
	Packages PackageSummary   `json:"packages"`
	Payloads []PayloadSummary `json:"payloads"`
	Kernel   KernelSummary    `json:"kernel"`
	Disk     DiskSummary      `json:"disk"`
	Outputs  []string         `json:"outputs"`
}

// PackageSummary is what is asked of the distribution.
type PackageSummary struct {
	Release   string   `json:"release"`
	Kernel    string   `json:"kernel"`
	Asked     []string `json:"asked"`     // by name, without what they need
	BuildOnly []string `json:"buildOnly"` // of these: not in the image
}

// PayloadSummary is one program that is no package.
type PayloadSummary struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Source  string `json:"source"` // gomod, release or file
	Origin  string `json:"origin"` // as in the lock
}

// KernelSummary counts the kernel profile's parts; `slipway render` shows them.
type KernelSummary struct {
	Modules int      `json:"modules"`
	Sysctls int      `json:"sysctls"`
	Limits  int      `json:"limits"`
	Cmdline []string `json:"cmdline"` // the spec's own
}

// DiskSummary is the size of partitions, in bytes. State takes the rest.
type DiskSummary struct {
	ESP    int64 `json:"esp"`
	Root   int64 `json:"root"`
	Verity int64 `json:"verity"`
}

// Summary is the plan for other programs.
func (p *Plan) Summary() PlanSummary {
	s := PlanSummary{
		Image: p.Name, Debug: p.Debug, Outputs: p.Outputs,
		Packages: PackageSummary{Release: p.Request.Release, Kernel: p.Request.Kernel, Asked: p.Request.Packages, BuildOnly: p.Distro.BuildOnly()},
		Kernel: KernelSummary{
			Modules: len(p.Profile.Modules), Sysctls: len(p.Profile.Sysctls), Limits: len(p.Profile.Limits), Cmdline: append([]string{}, p.Cmdline...),
		},
		Disk: DiskSummary{ESP: p.Layout.ESP, Root: p.Layout.Root, Verity: p.Layout.Verity},
	}
	for _, item := range p.Payloads {
		s.Payloads = append(s.Payloads, PayloadSummary{Name: item.Name, Version: item.Version, Source: string(item.Source), Origin: origin(item)})
	}
	return s
}
