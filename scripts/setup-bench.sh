#!/usr/bin/env bash
# Builds llama.cpp (as llama-cpp-python) for this processor, once, and prints the Python that has it.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
venv=$(cd "$target" && pwd)/venv
requirements=scripts/compare-llama-cpp/requirements.txt

fail() {
    printf 'llama.cpp could not be set up: %s\n' "$1" >&2
    exit 1
}

# The copy of the requirements is written last: it marks an installation that is whole.
if ! cmp --silent "$requirements" "$venv/installed.txt"; then
    command -v python3 >/dev/null || fail 'python3 is missing'
    command -v c++ >/dev/null || fail 'a C++ compiler (c++) is missing; Debian and Ubuntu: apt install build-essential'
    command -v cmake >/dev/null || echo 'cmake is missing; pip will try to bring its own' >&2
    rm -rf "$venv"
    echo 'building llama.cpp for this processor (some minutes, once)' >&2
    python3 -m venv "$venv" >&2 || fail 'python3 -m venv failed; Debian and Ubuntu: apt install python3-venv'
    CMAKE_ARGS="-DGGML_NATIVE=ON" "$venv/bin/pip" install --quiet --no-binary llama-cpp-python -r "$requirements" >&2 ||
        fail "pip's message is above; is there a network?"
    cp "$requirements" "$venv/installed.txt"
fi
printf '%s\n' "$venv/bin/python"
