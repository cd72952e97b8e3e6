// Command centos-standin makes yum repositories with the shape of CentOS Stream 10's out of a Debian tree that slipway built:
// real dnf and rpm can resolve, verify and install from them where no mirror of CentOS is reached.
//
//	centos-standin -tree TREE OUT
//	centos-standin -listen 127.0.0.1:8080 OUT
//
// TREE is the tree of a Debian image with the package network-manager: slipway's cache has it below tree. OUT gets a folder
// for each repository, the key that signed them (archive.asc), and the image section of a cluster.yaml that builds from them
// (image.yaml): from the folder or, with -listen, from where it is served. What is real: programs, their dependencies, the
// tools and the signatures. What is not: the programs are Debian's.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "centos-standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	tree := flag.String("tree", "", "make OUT of this tree")
	listen := flag.String("listen", "", "serve OUT at this address of the loopback until interrupted")
	flag.Parse()
	if flag.NArg() != 1 || *tree == "" && *listen == "" {
		return fmt.Errorf("want OUT and -tree or -listen, see -h")
	}
	out := flag.Arg(0)
	if *tree != "" {
		if err := standIn(ctx, *tree, out, time.Now()); err != nil {
			return err
		}
	}
	if *listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	url := "http://" + l.Addr().String()
	if err := writeImageSection(out, url); err != nil {
		return err
	}
	fmt.Printf("serving %s at %s\n", out, url)
	return http.Serve(l, http.FileServer(http.Dir(out)))
}
