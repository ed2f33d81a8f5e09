#!/usr/bin/env bash
# Tests the web page: its sources, that the built files are fresh, and the page in Chromium against a mock of the server.
# Usage: scripts/web-test.sh [ADDRESS]   with the address of a running `loci serve`, the browser tests use that instead.
# Says so and ends well where Node or Chromium are not there: the page itself needs neither.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/web-fresh.sh

skip() {
    printf 'web tests skipped: %s\n' "$1" >&2
    exit 0
}

command -v npm >/dev/null || skip 'there is no npm; install Node 20.19 or newer'
browser=${LOCI_CHROMIUM:-}
for name in chromium chromium-browser google-chrome; do
    [ -n "$browser" ] || browser=$(command -v "$name" || true)
done
[ -n "$browser" ] || skip 'there is no Chromium; Debian and Ubuntu: apt install chromium; elsewhere set LOCI_CHROMIUM to it'
export LOCI_CHROMIUM=$browser

cd web
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund --silent || skip 'npm could not fetch the packages that package-lock.json names (reason above)'
fi
npm run --silent check
npm run --silent test:unit
if [ $# -gt 0 ]; then export LOCI_BASE_URL=${1%/}; fi
npm run --silent test:browser
