#!/usr/bin/env bash
# The main job on a fresh machine: build, get a model and a book, ask the book a question.
# Environment: BOOK, QUESTION, METHOD, BYTES (how much of the book is read; 0 for all of it).
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$1" >&2; }

scripts/setup-check.sh demo
step 'building (release)'
cargo build --release --locked --package loci
loci=${CARGO_TARGET_DIR:-target}/release/loci

step 'model: SmolLM2-135M-Instruct'
"$loci" pull smollm2

step 'book'
question=${QUESTION:-What is the name of the landlord of the Spouter-Inn?}
method=${METHOD:-inf-llm}
bytes=${BYTES:-300000}
book=${BOOK:-$(scripts/fetch-book.sh)}
[ -s "$book" ] || { echo "BOOK=$book is not a file with text" >&2; exit 1; }
text=$book
if [ "$bytes" -gt 0 ] && [ "$(wc -c <"$book")" -gt "$bytes" ]; then
    part=$(mktemp -d)
    trap 'rm -rf "$part"' EXIT
    text=$part/$(basename "$book")
    # Whole lines only: a cut inside a character would not be UTF-8.
    head -c "$bytes" "$book" | sed '$d' >"$text"
    echo "reading the first $(wc -c <"$text") of $(wc -c <"$book") bytes; BYTES=0 reads all of it" >&2
fi

step "loci ask $(basename "$book") -q \"$question\" --method $method"
"$loci" ask "$text" -q "$question" -m smollm2 --method "$method"
