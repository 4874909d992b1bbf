# The two commands: `make run` and `make test`. Both install what is missing first (deploy/setup.sh says what).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Extra arguments of the server: make run ARGS="--config headwater.toml"
ARGS ?=
# Tests note here what they could not test on this machine.
export HEADWATER_SKIPPED := $(CURDIR)/target/skipped.txt
PAGE_SOURCES := $(shell find web/src web/public -type f 2>/dev/null) $(wildcard web/*.html web/*.js web/*.json)

.PHONY: help run test test-rust test-browser test-azure test-cluster check page bench latency soak setup setup-test setup-bench

help: ## Show what can be made
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

run: setup page ## Build and serve the demo channel (ARGS="--config FILE" for your own)
	cargo build --release --locked
	exec target/release/headwater serve $(ARGS)

test: setup-test page ## Run all tests
	@mkdir -p $(dir $(HEADWATER_SKIPPED)) && rm -f $(HEADWATER_SKIPPED)
	@$(MAKE) --no-print-directory test-rust test-browser
	@if [ -s $(HEADWATER_SKIPPED) ]; then echo "passed, but not everything was tested here:"; sort -u $(HEADWATER_SKIPPED); else echo "passed, nothing skipped"; fi

# One test binary a process where nextest is present, else all in one: the same tests. What they write lies in memory where
# there is room for it: how late a live channel is must not go by what else is written to the disk. nginx reads there as another user.
test-rust:
	@if [ -w /dev/shm ] && [ "$$(df -k --output=avail /dev/shm | tail -n 1)" -ge 3000000 ]; then \
	  export TMPDIR=$$(mktemp -d /dev/shm/headwater-test.XXXXXX); chmod 755 "$$TMPDIR"; trap 'rm -rf "$$TMPDIR"' EXIT; \
	fi; \
	if cargo nextest --version >/dev/null 2>&1; then \
	  set -x; cargo nextest run --workspace --locked --no-fail-fast; \
	else \
	  set -x; cargo test --workspace --lib --bins --tests --locked --no-fail-fast; \
	fi
	cargo test --workspace --doc --locked --quiet

# The browser watches the program that the Rust tests have built: what a plain build would add is three minutes, and
# whether all features are named that it needs, `check` tells.
test-browser:
	cargo test --workspace --lib --bins --tests --locked --no-run --quiet
	@if ! chromium=$$(deploy/find-chromium); then \
	  echo "SKIPPED: the browser tests, because no Chromium starts here (see deploy/find-chromium)" | tee -a $(HEADWATER_SKIPPED); \
	elif ! [ -d tests/browser/node_modules ]; then \
	  echo "SKIPPED: the browser tests, because there is no Node to drive them (see deploy/setup.sh --test)" | tee -a $(HEADWATER_SKIPPED); \
	else \
	  CHROMIUM=$$chromium HEADWATER_BIN=$$(realpath $${CARGO_TARGET_DIR:-target}/debug/headwater) npm test --silent --prefix tests/browser; \
	fi

test-cluster: setup-test ## Run the tests of the store against three Garage nodes (half an hour to build, once)
	deploy/test-cluster

test-azure: setup-test ## Run the tests of the store against Azurite, from npm
	deploy/test-azure

check: ## Check format, lints, documentation and types
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p headwater --locked -- -D warnings
	cargo clippy -p headwater --no-default-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --locked --quiet
	@if [ -d web/node_modules ]; then set -x; npm run --silent --prefix web check; fi

page: web/dist/index.html ## Build the page that is embedded into the program

web/dist/index.html: $(PAGE_SOURCES)
	@if [ -d web/node_modules ]; then \
	  set -x; npm run --silent --prefix web build; \
	else \
	  echo "page: no Node, so the page at / will only say how to build it"; \
	fi

bench: setup-bench ## Measure against ffmpeg, cp and nginx, and what waiting players and viewers cost (see tests/load)
	cargo build --release --locked
	@for script in tests/load/*.sh; do echo "== $$script"; "$$script"; done

latency: setup-test page ## Measure glass to glass in real players, and write docs/latency.md
	cargo build --release --locked
	CHROMIUM=$$(deploy/find-chromium) HEADWATER_BIN=$$(realpath $${CARGO_TARGET_DIR:-target}/release/headwater) node tests/browser/latency.js

soak: ## Kill encoders for 5 minutes while `headwater check` watches
	HEADWATER_SOAK_SECONDS=$${HEADWATER_SOAK_SECONDS:-300} cargo test --workspace --locked --test it check::soak -- --nocapture

setup:
	@deploy/setup.sh

setup-test:
	@deploy/setup.sh --test

setup-bench:
	@deploy/setup.sh --bench
