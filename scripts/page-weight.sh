#!/usr/bin/env bash
# Prints the size of what a browser downloads from the release build in target/site, after brotli: before the API Keys page
# is interactive, and for all pages together.
set -euo pipefail
cd "$(dirname "$0")/../target/site/pkg"
total() { cat "$@" | wc -c; }
line() { printf '%-34s %8d bytes\n' "$1" "$2"; }
line 'program and scripts, API Keys page' "$(total agent-studio.wasm.br ./*.js.br)"
line 'program alone' "$(total agent-studio.wasm.br)"
line 'styles' "$(total agent-studio.css.br)"
line 'program, all pages' "$(total ./*.wasm.br)"
