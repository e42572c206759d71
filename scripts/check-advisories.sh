#!/usr/bin/env bash
# Checks dependencies for known vulnerabilities. The database is on GitHub: if it cannot be reached, the script says so
# and
# succeeds. If it finds a vulnerability, it fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

if ! timeout 120 cargo deny fetch db >/dev/null 2>&1; then
  echo "advisories: NOT CHECKED, their database cannot be reached from here"
  exit 0
fi
cargo deny --all-features check --disable-fetch advisories
