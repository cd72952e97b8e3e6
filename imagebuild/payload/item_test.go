package payload

import "testing"

func base() Item {
	return Item{
		Name: "a", Version: "v1.2.3", Class: ClassRoot, Source: SourceGomod, Modules: []string{"m"}, Vars: []string{"v=1"},
		Go: "go1.26.8", Binaries: []Binary{{Name: "a", Package: "m/a", Path: "/usr/bin/a", Links: []string{"/usr/bin/b"}}},
	}
}

func TestKeyChangesWithEveryInput(t *testing.T) {
	seen := map[string]string{base().Key(): "the base"}
	for name, change := range map[string]func(*Item){
		"version":  func(i *Item) { i.Version = "v1.2.4" },
		"module":   func(i *Item) { i.Modules = []string{"n"} },
		"template": func(i *Item) { i.Template = "pause" },
		"vars":     func(i *Item) { i.Vars = []string{"v=2"} },
		"patched":  func(i *Item) { i.Patched = true },
		"go":       func(i *Item) { i.Go = "go1.26.9" },
		"package":  func(i *Item) { i.Binaries[0].Package = "m/c" },
		"output":   func(i *Item) { i.Binaries[0].Name = "c" },
		"source":   func(i *Item) { i.Source, i.SHA256 = SourceFile, digest64 },
	} {
		i := base()
		change(&i)
		if other, ok := seen[i.Key()]; ok {
			t.Errorf("%s: same key as %s", name, other)
		}
		seen[i.Key()] = name
	}
	file := Item{Source: SourceFile, SHA256: digest64}
	if other := (Item{Source: SourceFile, SHA256: "f" + digest64[1:]}); other.Key() == file.Key() {
		t.Error("digest: same key")
	}
}

func TestKeyKeepsWithoutNewInput(t *testing.T) {
	for name, change := range map[string]func(*Item){
		"name":  func(i *Item) { i.Name = "z" },
		"class": func(i *Item) { i.Class = ClassOCI },
		"path":  func(i *Item) { i.Binaries[0].Path = "/opt/a" },
		"links": func(i *Item) { i.Binaries[0].Links = nil },
		"known": func(i *Item) { i.Known = []ModuleSum{{Path: "m"}} },
	} {
		i := base()
		if change(&i); i.Key() != base().Key() {
			t.Errorf("%s changed the key", name)
		}
	}
	here, there := Item{Source: SourceRelease, URL: "https://a", SHA256: digest64}, Item{Source: SourceRelease, URL: "https://b", SHA256: digest64}
	if here.Key() != there.Key() {
		t.Error("another mirror of the same bytes changed the key")
	}
	own, renamed := Item{Source: SourceGomod, Template: "pause", Version: "1"}, Item{Source: SourceGomod, Template: "pause", Version: "2"}
	if own.Key() != renamed.Key() {
		t.Error("the version of an own program counts only where it is linked in")
	}
}

func TestTemplatesAreEmbedded(t *testing.T) {
	for _, r := range recipes() {
		if r.Template != "" && templateText(r.Template) == "" {
			t.Errorf("%s: template %q is empty", r.Name, r.Template)
		}
	}
}
