#!/usr/bin/env bash
# Runs all tests, those of the workspace and then those of the web page, and ends with one line: "N passed, N failed".
# Uses cargo-nextest where it is installed, cargo test otherwise. What cannot be run here is named before that line.
set -uo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
run() {
    "$@" 2>&1 | tee -a "$log" || status=1
}
export CARGO_TERM_COLOR=never
# The same features everywhere, as in `make lint`: others would be built beside them.
features=(--features loci/postgres)
if cargo nextest --version >/dev/null 2>&1; then
    run cargo nextest run --workspace "${features[@]}" --no-fail-fast --no-tests=pass --status-level=slow --final-status-level=fail
    run cargo test --workspace "${features[@]}" --doc --no-fail-fast --quiet
else
    run cargo test --workspace "${features[@]}" --no-fail-fast --quiet
fi

[ -n "${LOCI_TEST_POSTGRES:-}" ] || run echo 'tests on Postgres skipped: there is no server to test with'

run scripts/web-test.sh

# "test result: ok. 3 passed; 0 failed; ..." of cargo test, "Summary [1s] 3 tests run: 2 passed, 1 failed" of nextest,
# "ℹ pass 3", "ℹ fail 0" of Node.
awk -v status="$status" '
    /^test result:|^ *Summary \[/ {
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) passed += $(i - 1)
            if ($i ~ /^(failed|timed)/) failed += $(i - 1)
        }
    }
    /^ℹ pass [0-9]+$/ { passed += $3 }
    /^ℹ (fail|cancelled) [0-9]+$/ { failed += $3 }
    /^(web tests( in a browser)?|tests on Postgres) skipped: / { print }
    END {
        if (status != 0 && failed == 0) print "the tests could not all be built or run; the reason is above"
        printf "%d passed, %d failed\n", passed, failed
    }' "$log"
exit "$status"
