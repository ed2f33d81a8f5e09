#!/usr/bin/env bash
# What every reading strategy makes of the same small tasks: three `loci eval` runs. Their answers are kept in
# docs/results/reading-*.jsonl, and a run goes on where it was stopped. Usage: scripts/reading.sh [LOCI]
set -euo pipefail
cd "$(dirname "$0")/.."
encoder=$(scripts/fetch-encoder.sh)
loci=${1:-target/release/loci}
few="words=40,top=3"
strategies="full,retrieval:$few,retrieval:words=40,top=8,retrieval:words=40,top=8,order=two-sided"
strategies="$strategies,retrieval:words=40,top=8,order=reverse,retrieval:$few,by=meaning,retrieval:$few,by=fused"
strategies="$strategies,jrt,infini-retri:window=256,top_k=60,alr2,alr2:copy=false,alr2:mode=quotes"
strategies="$strategies,co-lor:words=40,pick=rate,short=none,co-lor:words=40,pick=rate,co-lor:words=40"
strategies="$strategies,full-ranking:$few,candidates=8,full-ranking:$few,candidates=8,window=4,step=2"
strategies="$strategies,structured:by=meaning,sculptor:policy=scripted,closed-book"
run() {
    local name=$1 folder
    shift
    folder=$(mktemp -d)
    local kept=docs/results/reading-$name.jsonl
    [ ! -f "$kept" ] || cp "$kept" "$folder/answers.jsonl"
    local status=0
    "$loci" eval "$@" --encoder "$encoder" --against full -o "$folder" || status=$?
    [ ! -f "$folder/answers.jsonl" ] || cp "$folder/answers.jsonl" "$kept"
    rm -r "$folder"
    return $status
}
run passkey passkey --lengths 1k --depths 0.1,0.5,0.9 --n 2 --methods "$strategies"
run lines lines:questions=5 --lengths 1k --n 2 --methods "$strategies"
for updates in 2 8 32; do
    run "updates-$updates" "pi-updates:keys=6,updates=$updates" --lengths 2k --n 5 \
        --methods "full,retrieval:$few,sculptor:policy=scripted"
done
