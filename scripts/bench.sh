#!/usr/bin/env bash
# Runs all benchmarks, and says at the end which ratios are worse than those of docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

log="$(mktemp)"
trap 'rm -f "$log"' EXIT

{
  cargo bench --features ssr --bench pages
  cargo bench --features ssr --bench conversations
  cargo bench --features ssr --bench api
  cargo bench --features ssr --bench allocations
  cargo bench --features ssr --bench waiters
  cargo bench --features ssr --bench gate
  cargo bench --features ssr --bench load
  scripts/peers.sh
  cargo bench --features ssr --bench peers
  scripts/page-weight.sh
} | tee "$log"

echo
if grep ': WORSE by ' "$log"; then
  echo "These are worse than in docs/benchmarks.md by more than 10 %."
else
  echo "No ratio is worse than in docs/benchmarks.md by more than 10 %."
fi
