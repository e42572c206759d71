# All tasks of the project. `make` lists them.
SHELL := /bin/bash
TOOLS := $(or $(AGENT_STUDIO_TOOLS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/agent-studio/tools)
export PATH := $(TOOLS)/bin:$(CURDIR)/node_modules/.bin:$(PATH)
# scripts/wasm-target-from-debian.sh makes this toolchain if rustup's servers cannot be reached.
ifneq ($(wildcard $(HOME)/.rustup/toolchains/debian),)
export RUSTUP_TOOLCHAIN := debian
endif
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET)/release/agent-studio
BUILT := $(BINARY).built
SOURCES := build.rs Cargo.toml Cargo.lock package-lock.json $(shell find src migrations style public -type f)

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(BUILT) ## Build and start the server on http://127.0.0.1:3000; load the demo if the database is empty
	$(BINARY) serve --demo-if-empty

build: $(BUILT) ## Build the release: the program, and the pages' files in target/site

# The stamp file is newer than all sources of the last build, so that a second `make run` starts in seconds.
$(BUILT): $(SOURCES)
	@scripts/setup.sh build
	cargo leptos build --release --split --precompress
	@touch $(BUILT)

dist: $(BUILT) ## Build the program for packages: one file, optimised for speed
	cargo build --profile dist --features ssr --bin agent-studio
	@ls -l --block-size=K $(TARGET)/dist/agent-studio

deb: dist ## Build the Debian package, and check it with lintian
	@scripts/package.sh deb

rpm: dist ## Build the RPM package
	@scripts/package.sh rpm

image: dist ## Build the OCI image (with buildah, podman or docker)
	@scripts/package.sh image

dev: ## Build after each change and reload the browser
	@scripts/setup.sh build
	cargo leptos watch --split -- serve --demo-if-empty

check: ## Check formatting, lints, docs, unused dependencies, scripts, licences and advisories
	@scripts/setup.sh test
	cargo fmt --check
	cargo clippy --features ssr --all-targets -- -D warnings
	cargo clippy --features hydrate --lib --target wasm32-unknown-unknown -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --features ssr --no-deps --document-private-items --quiet
	cargo machete --with-metadata
	npx tsc --project end2end
	npx biome lint --error-on-warnings end2end
	shellcheck scripts/*.sh packaging/rpm/*.sh packaging/debian/post*
	cargo deny --all-features check licenses bans sources
	@scripts/check-advisories.sh

test: $(BUILT) ## Run all tests: Rust on SQLite and PostgreSQL, then browser tests against the release build
	@scripts/setup.sh test
	@scripts/test.sh

test-rust: ## Run only the Rust tests
	@scripts/setup.sh test
	cargo test --features ssr

test-browser: $(BUILT) ## Run only the browser tests
	@scripts/setup.sh test
	npm test

fuzz: $(BUILT) ## Send generated requests to the APIs for a minute
	@scripts/fuzz.sh $(BINARY)

bench: $(BUILT) ## Run the benchmarks, and say which ratios of docs/benchmarks.md got worse
	@scripts/setup.sh test
	@scripts/bench.sh

.PHONY: help run build dist deb rpm image dev check test test-rust test-browser fuzz bench
.DEFAULT_GOAL := help
