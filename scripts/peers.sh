#!/usr/bin/env bash
# Installs the software that `benches/peers.rs` compares with, beside the other tools. A second run does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
TOOLS="${AGENT_STUDIO_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-studio/tools}"
NODE="better-auth@1.7.5 @better-auth/api-key@1.7.5 @better-auth/core@1.7.5 @better-auth/utils@0.4.2 better-call@1.4.0"
PYTHON="django==5.2 djangorestframework==3.18.3 djangorestframework-api-key==3.1.0 gunicorn==27.0.1"

mkdir -p "$TOOLS/peers"
cp benches/peers/* "$TOOLS/peers/"
[ "$(cat "$TOOLS/peers/.installed" 2>/dev/null)" != "$NODE $PYTHON" ] || exit 0
# shellcheck disable=SC2086 # several words
npm install --prefix "$TOOLS/peers" --no-audit --no-fund --loglevel=error $NODE
# shellcheck disable=SC2086
PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check \
  --target "$TOOLS/peers/python" --upgrade $PYTHON
echo "$NODE $PYTHON" >"$TOOLS/peers/.installed"
