#!/usr/bin/env bash
# Tests the web page: its sources, that the built files are fresh, and the page in Chromium against a mock of the server.
# Usage: scripts/web-test.sh [ADDRESS]   with the address of a running `loci serve`, the browser tests use that instead.
# Says so and ends well where Node or Chromium are not there: the page itself needs neither.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/web-fresh.sh

status=0
skip() {
    printf '%s skipped: %s\n' "$1" "$2" >&2
    exit "$status"
}

enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
wanted='install Node 20.19, 22.12 or newer'
{ command -v node && command -v npm; } >/dev/null || skip 'web tests' "there is no Node with npm; $wanted"
node -e "$enough" || skip 'web tests' "Node $(node --version) will not do; $wanted"

cd web
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund --loglevel=error --prefer-offline --fetch-retries=1 ||
        skip 'web tests' 'npm could not fetch the packages that package-lock.json names (reason above)'
fi
npm run --silent check
# What fails in one does not keep the other from being run.
npm run --silent test:unit || status=1

browser=${LOCI_CHROMIUM:-}
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    [ -n "$browser" ] || browser=$(command -v "$name" || true)
done
[ -n "$browser" ] || skip 'web tests in a browser' \
    'there is no Chromium; Debian and Ubuntu: apt install chromium-headless-shell; elsewhere set LOCI_CHROMIUM to it'
export LOCI_CHROMIUM=$browser
if [ $# -gt 0 ]; then
    LOCI_BASE_URL=${1%/} npm run --silent test:real || status=1
else
    npm run --silent test:browser || status=1
fi
exit "$status"
