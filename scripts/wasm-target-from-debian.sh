#!/usr/bin/env bash
# Installs the WASM target on a Debian machine that cannot reach rustup's servers: Debian's compiler, with the standard
# library
# for wasm32-unknown-unknown built from Debian's source package, in the place where rustup would install it. The
# toolchain
# is named `debian`; the Makefile selects it if it exists.
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "setup: run this once as root: $0" >&2; exit 1; }
echo "==> Installing Debian's Rust compiler and building the WASM standard library (about 2 minutes)"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  rustc-web cargo-web rust-web-src rust-web-llvm rust-web-clippy rustfmt-web

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src && touch src/lib.rs
printf '[package]\nname = "std-for-wasm"\nversion = "0.0.0"\nedition = "2024"\n' >Cargo.toml
RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTUP_TOOLCHAIN='' /usr/bin/cargo build \
  -Z build-std=std,panic_abort,proc_macro --target wasm32-unknown-unknown --release

to="$(/usr/bin/rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib"
mkdir -p "$to"
find target/wasm32-unknown-unknown/release/deps -name 'lib*.rlib' ! -name 'libstd_for_wasm*' -exec cp {} "$to/" \;
rustup toolchain link debian /usr
