//go:build fleet

package fleet_test

import (
	"fmt"
	"slices"
	"strings"
)

// whole says whether these members, or all, know the same cluster and the same voters, as many as wanted, and each of these is
// healthy.
func (f *fleet) whole(voters int, at ...string) error {
	var lists []string
	for _, n := range f.with("etcd") {
		if len(at) > 0 && !slices.Contains(at, n.name) {
			continue
		}
		said, err := f.etcdctl(n.name, "member list -w simple | sort && etcdctl endpoint health >/dev/null 2>&1 && etcdctl endpoint status -w json | grep -o '\"cluster_id\":[0-9]*'")
		if err != nil {
			return err
		}
		lists = append(lists, said)
	}
	slices.Sort(lists)
	if lists = slices.Compact(lists); len(lists) != 1 {
		return fmt.Errorf("members differ:\n%s", strings.Join(lists, "\n"))
	}
	if n := strings.Count(lists[0], ", started, "); n != voters || strings.Contains(lists[0], ", true") || strings.Count(lists[0], "\n") != voters {
		return fmt.Errorf("not %d voters:\n%s", voters, lists[0])
	}
	return nil
}

// clusterID is etcd's, as a member knows it.
func (f *fleet) clusterID(name string) string {
	f.t.Helper()
	said, err := f.etcdctl(name, `endpoint status -w json | grep -o '"cluster_id":[0-9]*'`)
	if err != nil {
		f.fatal(err)
	}
	return said
}

// write writes a key into etcd, of which mustRead wants to see the same value from every member.
func (f *fleet) write(key string) {
	f.t.Helper()
	if _, err := f.etcdctl(f.with("etcd")[0].name, "put fleet/"+key+" value-of-"+key); err != nil {
		f.fatal(err)
	}
}

func (f *fleet) mustRead(key string) {
	f.t.Helper()
	for _, n := range f.with("etcd") {
		if said, err := f.etcdctl(n.name, "get --print-value-only fleet/"+key); err != nil || said != "value-of-"+key {
			f.t.Errorf("%s reads %q of %s, %v", n.name, said, key, err)
		}
	}
}
