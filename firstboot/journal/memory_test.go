package journal

import (
	"fmt"
	"testing"
)

// TestMemory: what is known of a cluster grows up to its bounds, lasts, and is not that of another cluster.
func TestMemory(t *testing.T) {
	files := &memory{files: map[string]string{}}
	s, err := Open(files, "demo/1")
	if err != nil {
		t.Fatal(err)
	}
	news := 0
	for i := range 3 * MostInstances {
		err := s.Update(func(j *Journal) {
			j.Memory = j.MemoryOf("demo/1")
			if j.Memory.AddStarted("a", fmt.Sprint("instance-", i)) {
				news++
			}
			if j.Memory.AddStarted("a", "instance-0") {
				t.Error("the same instance is news again")
			}
			if by := fmt.Sprint("node-", i); j.Memory.AddFormed(by) != (i == 0) {
				t.Errorf("that it formed, says %s: news should be %v", by, i == 0)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(files, "demo/1")
	if err != nil {
		t.Fatal(err)
	}
	m := again.Get().MemoryOf("demo/1")
	if news != MostInstances || len(m.Started["a"]) != MostInstances || !m.Has("a", "instance-0") || m.Has("a", "instance-11") || m.FormedBy != "node-0" {
		t.Errorf("%d were news, read back %+v", news, m)
	}
	if other := again.Get().MemoryOf("demo/2"); other.Has("a", "instance-0") || other.FormedBy != "" || other.Token != "demo/2" {
		t.Errorf("of another cluster: %+v", other)
	}
}

// TestMemoryUnchanged: a change that could not be written is not in the memory, nor in what others hold of it.
func TestMemoryUnchanged(t *testing.T) {
	files := &memory{files: map[string]string{}}
	s, _ := Open(files, "demo/1")
	add := func(instance string) error {
		return s.Update(func(j *Journal) {
			j.Memory = j.MemoryOf("demo/1")
			j.Memory.AddStarted("a", instance)
		})
	}
	if err := add("one"); err != nil {
		t.Fatal(err)
	}
	held := s.Get()
	files.failAt = files.changes + 1
	if err := add("two"); err == nil {
		t.Fatal("no error")
	}
	for _, j := range []Journal{held, s.Get()} {
		if j.Memory.Has("a", "two") || !j.Memory.Has("a", "one") {
			t.Errorf("%+v", j.Memory)
		}
	}
}
