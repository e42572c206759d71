#!/usr/bin/env bash
# Runs all tests, and prints one line with the totals of both test runners.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

log="$(mktemp -d)"
trap 'rm -rf "$log"' EXIT

cargo test --features ssr --no-fail-fast 2>&1 | tee "$log/rust"
rust=${PIPESTATUS[0]}
npm test 2>&1 | tee "$log/browser"
browser=${PIPESTATUS[0]}

# `test result: ok. 12 passed; 0 failed; …` once per test binary; Playwright's `  34 passed (1.2m)` and `  1 failed`.
count() { grep -oE "$2" "$log/$1" | awk '{ sum += $1 } END { print sum + 0 }'; }
passed=$(($(count rust '[0-9]+ passed;') + $(count browser '^ +[0-9]+ passed')))
failed=$(($(count rust '[0-9]+ failed;') + $(count browser '^ +[0-9]+ (failed|flaky|interrupted|did not run)')))
echo
echo "$passed passed, $failed failed"
[ "$rust" = 0 ] && [ "$browser" = 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
