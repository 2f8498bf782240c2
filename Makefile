# Targets: run build test race lint fuzz soak bench schema clean. `make test` is what has to pass before a change lands.
GO       ?= go
BIN      := build/forebay
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 60s
SOAKS     = $(shell grep -rl --include='*_test.go' FOREBAY_SOAK . | xargs -n1 dirname | sort -u) ./integration/...
PKGS     := $(shell $(GO) list ./... 2>/dev/null | grep -v /integration)

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2

.PHONY: run build test unit race lint fuzz soak bench deps schema clean

build:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./gateway/cmd/forebay

# A gateway with the demo configuration: a RAM tier over a sparse file, served as an iSCSI disk, and over a folder, served as an NFS export.
run: build
	@mkdir -p build/demo/export
	@cat configs/demo.txt
	@exec $(BIN) gateway --config configs/demo.yaml

# Everything: first what the tests need from Debian, then vet, the unit tests (the concurrent parts under the race detector too),
# the mutations and the black-box tests with real clients and arrays.
test: deps build
	$(GO) vet ./...
	$(GO) test -timeout 25m ./...
	$(GO) test -race -timeout 20m $(PKGS)

unit:
	$(GO) test $(PKGS)

race:
	$(GO) test -race -timeout 20m ./...

deps:
	@integration/deps.sh

lint:
	$(GO) run $(GOLANGCI) run ./...

# Every fuzz target for FUZZTIME; go can fuzz one target at a time.
fuzz:
	@GO=$(GO) integration/fuzz.sh $(FUZZTIME)

# The long forms: fuzzing, and at length the black-box tests and all others that have a long form.
soak: deps build fuzz
	FOREBAY_SOAK=1 $(GO) test -count=1 -timeout 6h -v $(SOAKS)

# Performance beside peers on this machine, as a table, also in build/bench.md.
bench: deps build
	FOREBAY_BENCH=1 $(GO) test -count=1 -timeout 60m -v -run '^TestBench$$' ./integration

# The editor's JSON schema of the configuration, from the structs.
schema:
	$(GO) generate ./configs/...

clean:
	rm -rf build
