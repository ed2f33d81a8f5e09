#!/usr/bin/env bash
# Says whether the built page in web/dist is what its sources make: the sums in web/built.sha256 still hold, and there
# is no file beside those that it names. Needs no Node; `npm run check` in web/ builds anew and compares bytes.
set -euo pipefail
cd "$(dirname "$0")/../web"

stale() {
    printf 'web/dist is stale: %s\n' "$1" >&2
    printf 'run: cd web && npm ci && npm run build\n' >&2
    exit 1
}

if command -v sha256sum >/dev/null; then sums=(sha256sum); else sums=(shasum -a 256); fi
changed=$("${sums[@]}" --check --quiet built.sha256 2>/dev/null) || stale "${changed:-a file that built.sha256 names is missing}"
there=$(find dist index.html package-lock.json package.json public src tsconfig.json vite.config.ts -type f | LC_ALL=C sort)
named=$(cut -c67- built.sha256 | LC_ALL=C sort)
[ "$there" = "$named" ] || stale "other files than built.sha256 names: $(diff <(echo "$named") <(echo "$there") | grep '^[<>]' | head -n 3)"
