#!/usr/bin/env bash
# Runs every fuzz target for a bounded time. Usage: scripts/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-30}
if [ ! -f fuzz/Cargo.toml ]; then
    echo 'there are no fuzz targets: fuzz/Cargo.toml is missing' >&2
    exit 1
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo 'missing: cargo-fuzz' >&2
    echo '         run: cargo install cargo-fuzz, and rustup toolchain install nightly' >&2
    exit 1
fi
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo 'missing: a nightly toolchain, which the fuzzer needs' >&2
    echo '         run: rustup toolchain install nightly' >&2
    exit 1
fi
for target in $(cargo +nightly fuzz list); do
    echo "== $target, $seconds seconds"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048
done
