package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/imagebuild/verify/verifytest"
	"slipway/internal/golden"
)

// TestMain lets scripts call the command line as the program slipway.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"slipway": main, "measured": measured})
}

// TestScripts runs the command line's specification: one script a promise.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		UpdateScripts:      golden.Update(),
		RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"refuses": refuses,
			"disk":    makeDisk,
			"spoil":   spoil,
			"vcsim":   startVCenter,
			"ova":     makeOVA,
		},
	})
}

// exits CODE COMMAND... demands an exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	if got := exitCode(ts, args[1:]); fmt.Sprint(got) != args[0] {
		ts.Fatalf("%q exited with %d instead of %s", args[1:], got, args[0])
	}
}

// refuses COMMAND... demands exit code 2 and that nothing was written.
func refuses(ts *testscript.TestScript, _ bool, args []string) {
	before := listing(ts)
	exits(ts, false, append([]string{"2"}, args...))
	if after := listing(ts); after != before {
		ts.Fatalf("%q changed the folder from\n%sto\n%s", args, before, after)
	}
}

func exitCode(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// makeDisk FILE makes a small raw disk that verify finds nothing wrong with.
func makeDisk(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: disk FILE")
	}
	_, err := verifytest.Good().Write(ts.MkAbs(args[0]))
	ts.Check(err)
}

// spoil FILE OFFSET changes one byte.
func spoil(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: spoil FILE OFFSET")
	}
	at, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	ts.Check(err)
	b[0] ^= 1
	_, err = f.WriteAt(b, at)
	ts.Check(err)
}

// listing is every file below the script's folder with size and time of change.
func listing(ts *testscript.TestScript) string {
	var b strings.Builder
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size := info.Size()
		if d.IsDir() {
			size = 0
		}
		fmt.Fprintln(&b, path, info.Mode(), size, info.ModTime())
		return nil
	}))
	return b.String()
}
