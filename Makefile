# The two commands of the README are `make demo` and `make test`.
GO      ?= go
OUT     ?= out
SPEC    ?= examples/single/cluster.yaml

.PHONY: all build demo test test-unit test-qemu deps deps-build bench bench-pack fmt clean

all: build

# One command to a running node: what it needs, the image, the node's config, a virtual machine, a cluster that serves.
demo: deps build
	scripts/demo $(SPEC) $(OUT)

# Every test, from goldens to a node booted by UEFI.
test: deps build
	scripts/test

build: deps-build
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -buildid=' -o bin/ ./cmd/slipway ./cmd/slipwayd

deps:
	scripts/deps all

deps-build:
	@scripts/deps go

bench: build
	scripts/bench

bench-pack: build
	scripts/bench-pack $(RAW)

fmt:
	gofmt -w $$(git ls-files '*.go')

clean:
	rm -rf bin $(OUT)
