package kmod

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	path := k.image
	unpack := unpackKernel
	if file != "" {
		path, unpack = filepath.Join(k.dir, file), unpackModule
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("searching for sysctl keys: %w", err)
	}
	defer f.Close()
	r, err := unpack(f)
	if err != nil {
		return fmt.Errorf("unpacking %q: %w", path, err)
	}
	defer r.Close()
	if err := mark(r, need); err != nil {
		return fmt.Errorf("unpacking %q: %w", path, err)
	}
	return nil
}

const longestWord = 128

// mark sets need[word] for every word that stands in r between zero bytes or slashes: a string of C, or a piece of a
// path in one.
func mark(r io.Reader, need map[string]bool) error {
	in := bufio.NewReaderSize(r, 1<<20)
	word := make([]byte, 0, longestWord)
	for {
		buf, err := in.Peek(1)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		buf, _ = in.Peek(in.Buffered())
		start := 0
		for i, c := range buf {
			if c != 0 && c != '/' {
				continue
			}
			if len(word)+i-start <= longestWord && (len(word) > 0 || i > start) {
				word = append(word, buf[start:i]...)
				if _, ok := need[string(word)]; ok {
					need[string(word)] = true
				}
			}
			word, start = word[:0], i+1
		}
		word = append(word, buf[start:min(len(buf), start+longestWord+1)]...)
		word = word[:min(len(word), longestWord+1)]
		if _, err := in.Discard(len(buf)); err != nil {
			return err
		}
	}
}
