# The two commands of the README are `make demo` and `make test`.
GO      ?= go
OUT     ?= out
SPEC    ?= examples/single/cluster.yaml

.PHONY: all build release demo demo-ha test test-all test-ha deps deps-build bench bench-formation bench-ignition bench-pack bench-scale chaos fmt clean

all: build

# One command to a running node: what it needs, the image, the node's config, a virtual machine, a cluster that serves.
demo: deps build
	scripts/demo $(SPEC) $(OUT)

# Many nodes as containers, as root: they form a cluster and lose members of it before your eyes. STAY=1 leaves it on.
demo-ha: deps build
	scripts/demo-ha $(if $(STAY),-demo.stay)

# Every test, from goldens to a node booted by UEFI.
test: deps build
	scripts/test

# And what takes longer than that.
test-all: deps build
	scripts/test-all

# Several control planes and a worker, each a virtual machine.
test-ha: deps build
	scripts/test-ha

# What happens by chance, for as long as you like: make chaos TIME=2h, and SEED=... to see one again.
TIME ?= 20m
SEED ?= 0
chaos: deps build
	SLIPWAY_BIN=$(CURDIR)/bin $(GO) test -tags fleet,chaos -count=1 -timeout 0 -v -run 'TestChaos$$|TestHistory' ./test/fleet -args -chaos.time=$(TIME) -chaos.seed=$(SEED)

build: deps-build
	scripts/compile bin

# The file to hand out, with its checksum, completions and man pages: the same bytes from the same commit.
release: deps-build
	scripts/release dist

deps:
	scripts/deps all

deps-build:
	@scripts/deps go

bench: build
	scripts/bench

bench-ignition: build
	scripts/bench-ignition

bench-formation: deps build
	scripts/bench-formation

bench-pack: build
	scripts/bench-pack $(RAW)

bench-scale: deps build
	scripts/bench-scale

fmt:
	gofmt -w $$(git ls-files '*.go')

clean:
	rm -rf bin dist cmd/slipway/carried/bin/*.gz $(OUT)
