#!/usr/bin/env bash
# Runs every fuzz target, or those named, for a bounded time. Usage: scripts/fuzz.sh [SECONDS [TARGET...]]
#
# cargo-fuzz is installed below the build folder, once. It runs with the stable toolchain: targets are built without a
# sanitizer, which is what needs nightly; panics, allocations above the limit and endless loops are found all the same.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-30}
version=0.13.1
mkdir -p "${CARGO_TARGET_DIR:-target}"
tools=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/tools
export PATH="$tools/bin:$PATH"
if ! cargo fuzz --version >/dev/null 2>&1; then
    command -v c++ >/dev/null || { echo 'missing: c++, which the fuzzer is compiled with; Debian and Ubuntu: apt install build-essential' >&2; exit 1; }
    echo "installing cargo-fuzz $version below $tools (once)" >&2
    cargo install --quiet --locked --root "$tools" "cargo-fuzz@$version"
fi
shift || true
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
for target in "${targets[@]}"; do
    echo "== $target, $seconds seconds"
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=512 -timeout=20 -print_final_stats=1
done
echo "all ran for their time and found nothing: ${targets[*]}"
