#!/usr/bin/env bash
# Sends generated requests, well-formed and not, to a server of its own with a real key and a real runtime token, and
# holds every answer against our OpenAPI document: scripts/fuzz.sh PROGRAM [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
program="$1" seconds="${2:-60}"
SCHEMATHESIS=4.32.5
TOOLS="${AGENT_STUDIO_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-studio/tools}"
address=127.0.0.1:3418

environment="$TOOLS/schemathesis-$SCHEMATHESIS"
if [ ! -x "$environment/bin/schemathesis" ]; then
  python3 -m venv "$environment" || { echo "fuzz: Python's venv is missing (python3-venv on Debian)" >&2; exit 1; }
  "$environment/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$SCHEMATHESIS"
fi

# What is set for another server, its database above all, must not reach this one.
for name in $(compgen -e AGENT_STUDIO_ || true) DATABASE_URL; do unset "$name"; done
data="$(mktemp -d)"
export AGENT_STUDIO_DATA_DIR="$data"
"$program" serve --listen "$address" 2>"$data/log" &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$data"' EXIT
timeout 30 bash -c "until curl --silent --fail --output /dev/null http://$address/openapi.json; do sleep 0.2; done"

field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
FUZZ_WORKSPACE="$("$program" workspace create --name Acme --json | field id)"
FUZZ_AGENT="$("$program" agent create --workspace "$FUZZ_WORKSPACE" --name Hotel --json | field id)"
"$program" import --workspace "$FUZZ_WORKSPACE" --agent "$FUZZ_AGENT" end2end/conversations.jsonl
FUZZ_KEY="$("$program" key create --workspace "$FUZZ_WORKSPACE" --name fuzz --agents all --expires-in 1d --json \
  --permissions conversations,handoff,external-events,agents | field key)"
FUZZ_TOKEN="$("$program" runtime-token create --workspace "$FUZZ_WORKSPACE" --name fuzz --json | field token)"
runtime() {
  curl --silent --show-error --fail -X "$1" -H "authorization: Bearer $FUZZ_TOKEN" -H 'content-type: application/json' \
    -d "$3" "http://$address/runtime/v1/$FUZZ_WORKSPACE/$FUZZ_AGENT/conversations/$2"
}
# Something to find, and somebody who waits for the example event.
runtime PUT fuzz '{"started_at": "2026-05-01T10:00:00Z", "in_progress": true}'
runtime PUT fuzz/handoff '{"data": {"reason": "billing"}}'
runtime POST fuzz/external-events '{"event_id": "event-1"}'
export FUZZ_WORKSPACE FUZZ_AGENT FUZZ_KEY FUZZ_TOKEN

"$environment/bin/schemathesis" --config-file tests/schemathesis.toml run "http://$address/openapi.json" \
  --phases examples,coverage,fuzzing --max-time "$seconds"
# The log tells of what callers are not shown.
if grep -E 'ERROR|panicked' "$data/log"; then exit 1; fi
