#!/usr/bin/env bash
# Fetches the client libraries that the server is tested with, once, and prints the folder they lie in.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=scripts/clients/requirements.txt
sum=$(cksum <"$requirements" | cut -d' ' -f1)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/loci/tests/clients-$sum-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')

if [ ! -d "$folder" ]; then
    mkdir -p "$(dirname "$folder")"
    part=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    printf 'fetching client libraries for the tests (once) into %s\n' "$folder" >&2
    python3 -m pip install --quiet --target "$part" -r "$requirements" >&2 || {
        printf 'the client libraries could not be fetched: the message of pip is above; is there a network?\n' >&2
        exit 1
    }
    # It only gets this name once it is whole; another run may have been first.
    mv -T "$part" "$folder" 2>/dev/null || [ -d "$folder" ]
fi
printf '%s\n' "$folder"
