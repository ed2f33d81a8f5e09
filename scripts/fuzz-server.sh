#!/usr/bin/env bash
# Sends a running server what its own description allows and what it does not, and fails on any answer of 5xx.
# Usage: scripts/fuzz-server.sh http://127.0.0.1:8080 [EXAMPLES]   (a server on a data folder of its own: readings are made)
set -euo pipefail
cd "$(dirname "$0")/.."

url=${1:?the address of a running loci serve}
examples=${2:-60}
target=${CARGO_TARGET_DIR:-target}
venv=$target/venv-schemathesis
version=schemathesis==4.32.5
if [ ! -e "$venv/installed-$version" ]; then
    mkdir -p "$target"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "$version"
    touch "$venv/installed-$version"
fi
"$venv/bin/schemathesis" run "$url/openapi.json" --url "$url" --checks not_a_server_error --max-examples "$examples" \
    --request-timeout 120 --workers 2 --seed 1
