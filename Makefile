# `make demo` and `make test` set up everything that they need; the rest is for whoever measures.
# The engines compile once, in the dev profile, for both; `bench` builds the release profile.

.PHONY: demo build test quick lint bench bench-calls help bench-turns

export RUST_BACKTRACE ?= 1
ifneq ($(wildcard /usr/lib/x86_64-linux-gnu/espeak-ng-data),)
export PIPER_ESPEAKNG_DATA_DIRECTORY ?= /usr/lib/x86_64-linux-gnu
endif

TARGET := $(or $(CARGO_TARGET_DIR),target)
SETTLE := .ci/settle $(TARGET)
SIDETONE := $(TARGET)/debug/sidetone

help:            ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1  /p' Makefile

demo:            ## a real call on loopback: heard, answered, felt, handed over
	@$(MAKE) --no-print-directory build
	$(SIDETONE) models fetch
	$(SIDETONE) demo

build:           ## the binary
	@.ci/setup build
	cargo build --locked
	@$(SETTLE)

test:            ## everything that the tests need, then all tests
	@.ci/setup test
	cargo build --locked --all-targets
	@$(SETTLE)
	$(SIDETONE) models fetch
	@mkdir -p target
	cargo test --locked

quick:           ## the quick loop: unit tests with scripted engines, without Whisper, espeak-ng and what they need
	cargo test --locked --no-default-features --lib

lint:            ## format and clippy, with all features and with none, warnings refused
	@.ci/setup build
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	@$(SETTLE)
	cargo clippy --locked --no-default-features -- -D warnings

bench:           ## criterion: media tick, resampling, VAD, Whisper, Piper, intents
	@.ci/setup build
	cargo bench --locked
	@$(SETTLE)

bench-calls:     ## simultaneous talking calls until the answer comes late; writes target/bench/calls.json
	@.ci/setup build
	cargo build --locked --release
	@$(SETTLE)
	$(TARGET)/release/sidetone models fetch
	$(TARGET)/release/sidetone load --bench $(or $(BENCH_OUT),target/bench/calls.json)

bench-turns:     ## how soon one caller, and each of four, is answered and let in; writes target/bench/turns.json
	@.ci/setup build
	cargo build --locked --release
	$(TARGET)/release/sidetone models fetch
	$(TARGET)/release/sidetone load --bench-turns $(or $(BENCH_OUT),target/bench/turns.json)
