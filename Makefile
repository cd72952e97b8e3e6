# The two commands of the README are `make demo` and `make test`.
GO      ?= go
OUT     ?= out
SPEC    ?= examples/single/cluster.yaml

.PHONY: all build release demo test test-all deps deps-build bench bench-ignition bench-pack fmt clean

all: build

# One command to a running node: what it needs, the image, the node's config, a virtual machine, a cluster that serves.
demo: deps build
	scripts/demo $(SPEC) $(OUT)

# Every test, from goldens to a node booted by UEFI.
test: deps build
	scripts/test

# And what takes longer than that.
test-all: deps build
	scripts/test-all

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

bench-pack: build
	scripts/bench-pack $(RAW)

fmt:
	gofmt -w $$(git ls-files '*.go')

clean:
	rm -rf bin dist cmd/slipway/carried/bin/*.gz $(OUT)
