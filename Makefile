# Weir: `make help` lists what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help
WEIR := target/release/weir
LISTEN ?= 127.0.0.1:9347
SECONDS_EACH ?= 60

.PHONY: help run lab ui build test test-rust test-ui test-browser test-kernels fuzz check fmt generate bench

help: ## List the targets
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: build ## Build what is missing and show this host's traffic in a browser (needs root for eBPF)
	@scripts/run --listen $(LISTEN)

lab: build ## A small cluster on this machine with Weir on top, until Ctrl-C (needs root)
	@scripts/setup lab
	cargo build --release --package weir-testkit --bin weir-lab --bin weir-traffic
	@scripts/lab --listen $(LISTEN)

build: ui ## Build the release binary, web UI included
	@scripts/setup build
	cargo build --release --package weir

ui: ## Build the web UI
	@scripts/setup ui
	@scripts/build-ui

test: ## Run every test; privileged and heavy ones say when and why they are skipped
	@scripts/test

test-rust: ui ## Rust tests only
	@scripts/setup build test
	cargo nextest run --workspace

test-ui: ui ## Unit tests of the web UI
	npm --prefix web test

test-browser: ui ## Tests in a real browser against live traffic
	@scripts/setup build test browser
	cargo build --package weir
	cargo build --package weir-server --example cluster_double
	npm --prefix web run e2e

test-kernels: ui ## The same binary on Debian's 6.1 and 6.12 kernels under qemu
	@scripts/setup build kernels
	cargo build --package weir --package weir-testkit
	scripts/kernels/run

fuzz: ## Fuzz every parser of payload, SECONDS_EACH (60) seconds each
	@scripts/setup build
	cargo build --release --package weir-l7 --example fuzz
	@for target in http1 http2 hpack templates dns; do \
		target/release/examples/fuzz $$target --seconds $(SECONDS_EACH) || exit 1; done

check: ui ## Format, lints, types, generated files
	@scripts/setup build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	npm --prefix web run check
	@scripts/generate --check

fmt: ## Format the Rust code
	cargo fmt --all

generate: ## Make the generated files again: TypeScript schema, OpenAPI, its TypeScript types
	@scripts/generate

bench: build ## Benchmarks B1 to B5; writes docs/reference/benchmarks.md
	@scripts/setup bench
	scripts/bench/run
