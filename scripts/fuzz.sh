#!/usr/bin/env bash
# Starts a server, sends it generated requests (valid and invalid) with a real key and a real runtime token, and
# validates every
# response against the OpenAPI document: scripts/fuzz.sh PROGRAM [SECONDS]
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

# Settings for another server, above all its database, must not apply to this one.
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
# A conversation to find, which waits for the event of the examples.
runtime PUT fuzz '{"started_at": "2026-05-01T10:00:00Z", "in_progress": true}'
runtime PUT fuzz/handoff '{"data": {"reason": "billing"}}'
runtime POST fuzz/external-events '{"event_id": "event-1"}'
export FUZZ_WORKSPACE FUZZ_AGENT FUZZ_KEY FUZZ_TOKEN

"$environment/bin/schemathesis" --config-file tests/schemathesis.toml run "http://$address/openapi.json" \
  --phases examples,coverage,fuzzing --max-time "$seconds"
# The log has errors that clients do not see.
if grep -E 'ERROR|panicked' "$data/log"; then exit 1; fi
