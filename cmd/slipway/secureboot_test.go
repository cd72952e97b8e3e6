package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/cluster/pki"
	"slipway/imagebuild/verify/verifytest"
	"slipway/internal/golden"
	"slipway/internal/testtool"
	"slipway/secureboot"
	"slipway/secureboot/pkcs11"
)

// TestToken runs the script about keys that never leave a token, with SoftHSM as one.
func TestToken(t *testing.T) {
	const module = "/usr/lib/softhsm/libsofthsm2.so"
	testtool.Find(t, "softhsm2-util")
	testtool.Find(t, pkcs11.Tool)
	if _, err := os.Stat(module); err != nil {
		testtool.Missing(t, "there is no "+module)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/token",
		UpdateScripts: golden.Update(),
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"disk": makeDisk},
		Setup: func(env *testscript.Env) error {
			tokens := filepath.Join(env.WorkDir, ".tokens")
			conf := filepath.Join(tokens, "softhsm2.conf")
			env.Setenv("SOFTHSM2_CONF", conf)
			env.Setenv("MODULE", module)
			if err := os.Mkdir(tokens, 0o700); err != nil {
				return err
			}
			return os.WriteFile(conf, fmt.Appendf(nil, "directories.tokendir = %s\nobjectstore.backend = file\n", tokens), 0o600)
		},
	})
}

// signedRecipe is a disk signed with the keys in a folder of secrets, which carries them to be enrolled.
func signedRecipe(ts *testscript.TestScript, secrets string) verifytest.Recipe {
	dir, err := pki.OpenDir(ts.MkAbs(secrets), nil)
	ts.Check(err)
	defer dir.Close()
	for _, name := range []string{"SOFTHSM2_CONF", pinVariable} { // of the script, for the program that talks to a token
		if value := ts.Getenv(name); value != "" {
			ts.Check(os.Setenv(name, value))
		}
	}
	keys, err := pki.OpenSecureBoot(dir, "demo", tokens(context.Background()))
	ts.Check(err)
	key, err := keys.Key(secureboot.DB)
	ts.Check(err)
	recipe := verifytest.Good()
	recipe.Keys = map[string][]byte{}
	for _, name := range secureboot.Names() {
		recipe.Keys[name], err = keys.Update(name)
		ts.Check(err)
	}
	recipe.Sign = func(program []byte) ([]byte, error) {
		return secureboot.Sign(program, key, time.Unix(1_780_000_000, 0))
	}
	return recipe
}
