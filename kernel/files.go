package kernel

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed *.tmpl
var templates embed.FS

// Files are the profile as the image's files, sorted by path. They lie in /usr/lib where the distro's own defaults
// lie, so a file of the same name in /etc still wins.
func (p Profile) Files() ([]File, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	var files []File
	for _, f := range []struct{ path, template string }{
		{"/etc/security/limits.d/90-slipway.conf", "limits.conf.tmpl"}, // PAM reads only /etc
		{"/usr/lib/modules-load.d/slipway.conf", "modules.conf.tmpl"},
		{"/usr/lib/sysctl.d/90-slipway.conf", "sysctl.conf.tmpl"},
		{"/usr/lib/systemd/system.conf.d/90-slipway.conf", "system.conf.tmpl"},
	} {
		content, err := p.execute(f.template)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Path: f.path, Mode: 0o644, Content: content})
	}
	return files, nil
}

// Check refuses a key whose module is not loaded at boot: systemd-sysctl would pass over it in silence.
func (p Profile) Check() error {
	for _, s := range p.Sysctls {
		if s.Module == "" {
			continue
		}
		if at := findModule(p.Modules, s.Module); at < 0 || !p.Modules[at].Load {
			return fmt.Errorf("rendering sysctl %q: its module %q is not loaded at boot\nhint: remove the key as well, by an empty value", s.Key, s.Module)
		}
	}
	return nil
}

func (p Profile) execute(name string) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"upper": strings.ToUpper}).ParseFS(templates, name)
	if err != nil {
		return nil, fmt.Errorf("parsing template %q: %w", name, err)
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, p); err != nil {
		return nil, fmt.Errorf("executing template %q: %w", name, err)
	}
	return buf.Bytes(), nil
}
