package vsphere

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// archive makes a tar of names and contents.
func archive(t testing.TB, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(files[i+1])), Mode: 0o644, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const smallOVF = `<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"><References><File ovf:href="a.vmdk" ovf:id="f"/></References></Envelope>`

func sumLine(name, content string) string {
	return fmt.Sprintf("SHA256(%s)= %s\n", name, Digest([]byte(content)))
}

func TestOpenImage(t *testing.T) {
	img := image(t, testOVA(t, "disk"))
	if len(img.Files) != 2 || img.Files[0].Name != "demo.ovf" || img.Files[1].Name != "demo.vmdk" || img.Networks[0] != "nodes" || len(img.Digest) != 64 {
		t.Errorf("got %+v", img)
	}
	if again := image(t, testOVA(t, "another")); again.Digest == img.Digest {
		t.Error("two images have one digest")
	}
	both := sumLine("a.ovf", smallOVF) + sumLine("a.vmdk", "disk")
	for want, files := range map[string][]string{
		`the first file is "a.mf"`:                     {"a.mf", both, "a.ovf", smallOVF, "a.vmdk", "disk"},
		"there is no manifest":                         {"a.ovf", smallOVF, "a.vmdk", "disk"},
		"reading descriptor":                           {"a.ovf", "<Envelope>", "a.mf", both, "a.vmdk", "disk"},
		`the file "a.vmdk" is missing`:                 {"a.ovf", smallOVF, "a.mf", both},
		`the manifest has no SHA256 of "a.vmdk"`:       {"a.ovf", smallOVF, "a.mf", sumLine("a.ovf", smallOVF), "a.vmdk", "disk"},
		`the manifest has no SHA256 of "a.ovf"`:        {"a.ovf", smallOVF, "a.mf", "SHA1(a.ovf)= 00\n", "a.vmdk", "disk"},
		`"a.ovf" has 1048577 bytes, which is too much`: {"a.ovf", strings.Repeat(" ", maxText+1), "a.mf", both},
	} {
		file := archive(t, files...)
		if _, err := OpenImage(bytes.NewReader(file), int64(len(file))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// FuzzOpenImage: no package makes it panic, and what it takes has a digest for every file.
func FuzzOpenImage(f *testing.F) {
	f.Add(archive(f, "a.ovf", smallOVF, "a.mf", sumLine("a.ovf", smallOVF)+sumLine("a.vmdk", "disk"), "a.vmdk", "disk"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		img, err := OpenImage(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		for _, f := range img.Files {
			if len(f.SHA256) != 64 {
				t.Errorf("%+v", f)
			}
		}
	})
}

// TestDigestsAreSent: vCenter is told the SHA-256 of every file before it comes.
func TestDigestsAreSent(t *testing.T) {
	l := newLab(t)
	s := l.strict()
	img := image(t, testOVA(t, "disk of the test"))
	if _, err := l.imports(wantImport(img)); err != nil {
		t.Fatal(err)
	}
	for _, f := range img.Files {
		if got := s.checked(f.Name); got != f.SHA256 {
			t.Errorf("%s: vCenter compared with %q, want %s", f.Name, got, f.SHA256)
		}
	}
}
