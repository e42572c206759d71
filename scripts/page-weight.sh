#!/usr/bin/env bash
# Prints the size of what a browser downloads from the release build in target/site: raw and compressed.
set -euo pipefail
cd "$(dirname "$0")/.."
for kind in wasm js css; do
  file="$(compgen -G "target/site/pkg/*.$kind" | head -n 1)"
  printf '%-5s %8d bytes, %7d after brotli\n' "$kind" "$(stat -c %s "$file")" "$(stat -c %s "$file.br")"
done
