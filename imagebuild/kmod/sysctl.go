package kmod

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"slipway/kernel"
)

// MissingSysctls returns those of keys whose names are not compiled into the kernel or, for keys that come with a
// module, into that module. A name that is there for another key passes: this finds misspelt and dropped keys, and
// is no proof. It reads the whole kernel once, about half a second.
func (k *Kernel) MissingSysctls(keys []kernel.Sysctl) ([]kernel.Sysctl, error) {
	need := map[string]map[string]bool{"": {}} // module, "" for the kernel -> word -> found
	for _, key := range keys {
		path, _ := words(key.Key)
		for _, w := range path {
			need[""][w] = false
		}
		if owner := k.owner(key); owner != "" {
			need[owner] = map[string]bool{}
		}
	}
	for owner := range need {
		for _, key := range keys {
			path, _ := words(key.Key)
			for _, w := range path {
				need[owner][w] = false
			}
		}
		if err := k.search(owner, need[owner]); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key kernel.Sysctl) bool {
		return k.has(key, need[""], need[k.owner(key)])
	}), nil
}

// owner returns the module file that a key's name is in, "" for the kernel itself.
func (k *Kernel) owner(key kernel.Sysctl) string {
	if key.Module == "" {
		return ""
	}
	file, _ := k.find(key.Module)
	return file
}

// has reports whether the key's last word is in its owner and the words before are there or in the kernel.
func (k *Kernel) has(key kernel.Sysctl, inKernel, inOwner map[string]bool) bool {
	path, ok := words(key.Key)
	if !ok || !inOwner[path[len(path)-1]] {
		return false
	}
	for _, w := range path {
		if !inKernel[w] && !inOwner[w] {
			return false
		}
	}
	return true
}

// words splits a key in either notation of sysctl.d(5) and leaves out the interface of keys per interface.
func words(key string) ([]string, bool) {
	sep := "."
	if at := strings.IndexAny(key, "./"); at >= 0 {
		sep = key[at : at+1]
	}
	path := strings.Split(strings.TrimPrefix(key, "-"), sep)
	if len(path) >= 5 && path[0] == "net" && (path[2] == "conf" || path[2] == "neigh") {
		path = slices.Delete(path, 3, len(path)-1)
	}
	return path, len(path) >= 2 && !slices.Contains(path, "")
}

// search marks the words of need that are in the kernel or, with file, in one of its modules.
func (k *Kernel) search(file string, need map[string]bool) error {
	r, err := k.open(file)
	if err != nil {
		return fmt.Errorf("searching for sysctl keys: %w", err)
	}
	defer r.Close()
	if err := (&marker{need: need}).read(r); err != nil {
		return fmt.Errorf("searching for sysctl keys: unpacking %q: %w", cmp.Or(file, k.image), err)
	}
	return nil
}

// Unpacked returns a module without its compression; file is as modules.dep has it.
func (k *Kernel) Unpacked(file string) ([]byte, error) {
	r, err := k.open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return data, wrap(file, err)
}

// open returns the unpacked kernel or module file.
func (k *Kernel) open(file string) (io.ReadCloser, error) {
	if file != "" {
		b, err := fs.ReadFile(k.tree, file)
		if err != nil {
			return nil, err
		}
		r, err := unpackModule(bytes.NewReader(b))
		return r, wrap(file, err)
	}
	f, err := os.Open(k.image)
	if err != nil {
		return nil, err
	}
	r, err := unpackKernel(f)
	if err != nil {
		return nil, errors.Join(wrap(k.image, err), f.Close())
	}
	return closeBoth{r, f}, nil
}

func wrap(name string, err error) error {
	if err != nil {
		return fmt.Errorf("unpacking %q: %w", name, err)
	}
	return nil
}

// closeBoth closes what it reads from and the file below.
type closeBoth struct {
	io.ReadCloser
	file io.Closer
}

func (c closeBoth) Close() error { return errors.Join(c.ReadCloser.Close(), c.file.Close()) }
