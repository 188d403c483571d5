# What one does with Foresail's sources. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A login shell knows these; a bare one (a build server, sudo) may not.
export PATH := $(HOME)/.cargo/bin:/usr/local/go/bin:$(PATH)

# The steps share one target folder and two cores; their output is to be read in order.
.NOTPARALLEL:

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup-build ## A simulated fleet scaled by Foresail in this terminal: no cluster needed
	cargo run --quiet --locked -- demo $(DEMO)

.PHONY: test
test: setup lint doc-test bench-test check-test browser-test backends-test queues-test cluster-test ## Everything: format, clippy, all tests, real servers, a real control plane

.PHONY: check
check: setup-build lint check-test ## The quick loop: the same without doc tests, browser, queues and control plane

.PHONY: cluster
cluster: setup ## A control plane with Foresail registered, to look at by hand, until Ctrl-C
	cargo build --quiet --locked
	cargo run --quiet --locked --example cluster

.PHONY: bench
bench: setup-build ## The benchmarks
	cargo bench --locked --bench api --bench forecast --bench judge --bench pods --bench rules --bench scrape --bench tick

.PHONY: soak
soak: setup-build ## 1,000 forecasting policies with two weeks of history: memory and processor time
	cargo bench --locked --bench soak

.PHONY: bench-forecast
bench-forecast: setup-build ## What forecasts are worth: tables over recorded and generated series (some minutes)
	cargo bench --locked --bench forecast_tables -- --traces $(TRACES) $(TABLES)

.PHONY: bench-peer
bench-peer: setup ## Foresail beside other adapters on one control plane: requests/s, CPU, memory (a quarter of an hour; PEERS=foresail,keda chooses)
	PEERS=$(PEERS) cargo bench --locked --bench peer

# Recorded traces; without the folder only generated series are judged.
TRACES := ../shared/traces

.PHONY: deny
deny: ## Licences, sources and banned crates of the dependencies (needs cargo-deny)
	@$(call need_program,cargo-deny,cargo install --locked cargo-deny)
	cargo deny check bans licenses sources

.PHONY: lint
lint: setup-build ## Format and clippy, every warning an error
	cargo fmt --check
	cargo clippy --quiet --locked --all-targets -- -D warnings

.PHONY: fmt
fmt: ## Format the sources
	cargo fmt

.PHONY: crd
crd: setup-build ## Write the CustomResourceDefinitions anew, after a change of the types in src/policy
	FORESAIL_WRITE_CRDS=1 cargo test --quiet --locked --test it definitions

# These tests wait for clocks and sockets more than they calculate.
.PHONY: check-test
check-test: export RUST_TEST_THREADS ?= $(shell expr 3 \* $$(nproc))
check-test: setup-build
	cargo test --locked --lib --bins $(patsubst %,--test %,$(QUICK_TESTS))

.PHONY: doc-test
doc-test: setup-build
	cargo test --locked --doc

# Each benchmark once, unoptimised and untimed, so that none of them rots.
.PHONY: bench-test
bench-test: setup-build
	cargo test --locked --bench api --bench forecast --bench forecast_tables --bench judge --bench pods --bench rules --bench scrape --bench soak --bench tick

# The page of `foresail simulate` in a headless browser.
.PHONY: browser-test
browser-test: setup
	cargo test --locked --test browser

# Each kind of queue on its real server, which is killed and started again.
.PHONY: queues-test
queues-test: setup
	cargo test --locked --test queues

# Foresail's own part of `make bench-peer`, small, too: so that it does not rot.
.PHONY: cluster-test
cluster-test: setup
	cargo test --locked --test cluster --bench peer

# Real Prometheus 2 and 3 and VictoriaMetrics; the first time Prometheus 3 is built.
.PHONY: backends-test
backends-test: setup
	cargo test --locked --test backends

# Whatever lies in tests/ apart from those that need more than cargo: Cargo cannot leave one out, only
# name the rest.
QUICK_TESTS := $(basename $(notdir $(wildcard tests/*.rs))) \
	$(filter-out backends browser cluster queues,$(patsubst tests/%/main.rs,%,$(wildcard tests/*/main.rs)))

# ---- what a fresh Debian machine lacks -------------------------------------------------------

BUILD_PACKAGES := build-essential:cc
TEST_PACKAGES := prometheus:prometheus victoria-metrics:victoria-metrics chromium:chromium redis-server:redis-server rabbitmq-server:rabbitmqctl \
	nats-server:nats-server postgresql:pg_ctlcluster default-jre-headless:java maven:mvn

.PHONY: setup
setup: setup-build ## Install what is missing (as root), or say what to install
	@$(call need_packages,$(TEST_PACKAGES))
	@$(call need_program,go,1.26 or newer: https://go.dev/dl)

.PHONY: setup-build
setup-build:
	@$(call need_program,cargo,1.95 or newer: https://rustup.rs)
	@$(call need_packages,$(BUILD_PACKAGES))
	@$(call need_component,fmt,rustfmt)
	@$(call need_component,clippy,clippy)

# $(1) the program, $(2) where it comes from
need_program = command -v $(1) >/dev/null || { echo "$(1) is missing: $(2)" >&2; exit 1; }

# $(1) the Cargo subcommand, $(2) rustup's component: a minimal toolchain comes without them.
need_component = cargo $(1) --version >/dev/null 2>&1 || rustup component add $(2) || \
	{ echo "cargo $(1) is missing: install $(2)" >&2; exit 1; }

# $(1) pairs PACKAGE:PROGRAM. Nothing is asked for and nothing recommended is taken along:
# Prometheus' recommended node exporter would only run beside. That Debian starts Prometheus as a
# service where there is systemd does not matter: the tests start their own on another port.
define need_packages
	missing=(); \
	for pair in $(1); do \
	  command -v "$${pair#*:}" >/dev/null || missing+=("$${pair%:*}"); \
	done; \
	if [ $${#missing[@]} -gt 0 ]; then \
	  if [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$${missing[@]}"; \
	  else \
	    echo "missing: $${missing[*]}; as root: apt-get install $${missing[*]}" >&2; exit 1; \
	  fi; \
	fi
endef
