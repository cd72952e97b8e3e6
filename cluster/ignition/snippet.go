package ignition

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/coreos/ignition/v2/config/v3_6"
	"github.com/coreos/ignition/v2/config/v3_6/types"

	"slipway/node"
)

// Snippet is what the user adds to a node: an Ignition config that Butane made of one file.
type Snippet struct {
	Name     string // of the Butane file as the user wrote it, for messages
	Ignition []byte // of any version up to 3.6
}

// parse reads the snippet, brings it to the version of the node's config, and judges what it may do.
func (s Snippet) parse(taken []string) (types.Config, error) {
	cfg, rep, err := v3_6.ParseCompatibleVersion(s.Ignition)
	if err != nil && len(rep.Entries) > 0 {
		err = fmt.Errorf("%w\n%s", err, strings.TrimSpace(rep.String()))
	}
	if err == nil {
		err = allowed(cfg, taken)
	}
	if err != nil {
		return types.Config{}, inputError{fmt.Errorf("merging Butane %q: %w", s.Name, err)}
	}
	return cfg, nil
}

// allowed refuses what would break the node or could not work on it.
func allowed(cfg types.Config, taken []string) error {
	var errs []error
	if cfg.Ignition.Config.Replace.Source != nil {
		errs = append(errs, errors.New("ignition.config.replace would throw the node's own config away\nhint: use ignition.config.merge"))
	}
	if k := cfg.KernelArguments; len(k.ShouldExist)+len(k.ShouldNotExist) > 0 {
		errs = append(errs, errors.New("kernel_arguments: the kernel command line is part of the signed image\nhint: put them under kernel.cmdline of the spec"))
	}
	refuse := func(why, hint string) {
		if why != "" {
			errs = append(errs, fmt.Errorf("%s\nhint: %s", why, hint))
		}
	}
	folders := folders(cfg)
	for _, p := range paths(cfg) {
		if slices.Contains(taken, p) {
			refuse(p+" is written anew at every boot, so yours would be lost", "for what can be set see the spec")
			continue
		}
		if slices.Contains(folders, p) {
			refuse(node.RefusePath(p))
		} else {
			refuse(node.RefuseFile(p))
		}
	}
	for _, f := range cfg.Storage.Filesystems {
		if p := str(f.Path); p != "" {
			refuse(refuseMount(p, taken))
		}
	}
	for _, u := range cfg.Systemd.Units {
		if str(u.Contents) != "" || u.Enabled != nil || u.Mask != nil {
			refuse(node.RefuseUnit(u.Name))
		}
	}
	return errors.Join(errs...)
}

// refuseMount is node.RefuseMount, and knows what else is written at every boot.
func refuseMount(dir string, taken []string) (why, hint string) {
	if why, hint := node.RefuseMount(dir); why != "" {
		return why, hint
	}
	if i := slices.IndexFunc(taken, func(own string) bool { return path.Clean(dir) == own || node.Above(dir, own) }); i >= 0 {
		return node.RefuseHiding(dir, taken[i]+", which is written anew at every boot")
	}
	return "", ""
}

// paths lists what the config writes, cleaned and sorted.
func paths(cfg types.Config) []string {
	all := folders(cfg)
	for _, f := range cfg.Storage.Files {
		all = append(all, path.Clean(f.Path))
	}
	for _, l := range cfg.Storage.Links {
		all = append(all, path.Clean(l.Path))
	}
	slices.Sort(all)
	return all
}

// folders lists the folders that the config makes, cleaned. Ignition refuses a config that has one as a file, too.
func folders(cfg types.Config) []string {
	var all []string
	for _, d := range cfg.Storage.Directories {
		all = append(all, path.Clean(d.Path))
	}
	return all
}
