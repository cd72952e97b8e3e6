// Command slipwayd takes a node from power-on to its place in a serving cluster; see package firstboot.
package main

import (
	"context"
	"crypto/rand"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"slipway/firstboot"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := firstboot.Run(ctx, firstboot.Options{Root: "/", Log: os.Stderr,
		NotifySocket: os.Getenv("NOTIFY_SOCKET"), Now: time.Now, Random: rand.Reader})
	if err != nil {
		log.Fatalf("slipwayd: %v", err)
	}
}
