// Command ubuntu-standin makes an apt archive with the shape of Ubuntu 24.04's out of the packages of a Debian image, signed by
// a key of its own: real apt and mmdebstrap can resolve, verify and install from it where no mirror of Ubuntu is reached.
//
//	ubuntu-standin -lock slipway.lock -pool ~/.cache/slipway/pool OUT
//	ubuntu-standin -listen 127.0.0.1:8080 OUT
//
// The lock is that of a Debian image with the package apparmor, and the pool has its packages. OUT gets the archive, its key,
// and image.yaml: the image section of a cluster.yaml that builds from it. What is real: the programs, what they depend on,
// the tools and the signatures. What is not: the programs are Debian's.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ubuntu-standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var in input
	flag.StringVar(&in.lock, "lock", "", "slipway.lock of a Debian image: make OUT of its packages")
	flag.StringVar(&in.pool, "pool", "", "the folder that has them, by digest")
	flag.StringVar(&in.release, "release", "noble", "the release: noble or resolute")
	flag.BoolVar(&in.bare, "bare", false, "the kernel's metapackages do not bring linux-modules-extra, as those of some kernels do not")
	listen := flag.String("listen", "", "serve OUT at this address of the loopback, until interrupted")
	flag.Parse()
	if flag.NArg() != 1 || in.lock == "" && *listen == "" {
		return fmt.Errorf("want OUT, and -lock or -listen or both, see -h")
	}
	in.out, in.now = flag.Arg(0), time.Now().Truncate(time.Second)
	if in.lock != "" {
		if err := standIn(in); err != nil {
			return err
		}
	}
	if *listen == "" {
		return nil
	}
	return serve(ctx, *listen, in.out)
}

// serve writes image.yaml for the address that it got, and says when it is ready.
func serve(ctx context.Context, address, dir string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	url := "http://" + l.Addr().String()
	if err := writeImage(dir, url); err != nil {
		return err
	}
	fmt.Printf("serving %s at %s\n", dir, url)
	srv := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: time.Minute}
	go func() {
		<-ctx.Done()
		srv.Close()
	}()
	if err := srv.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}
