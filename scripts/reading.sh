#!/usr/bin/env bash
# What every reading strategy makes of the same small tasks, by `loci eval`. The answers are kept in docs/results/reading-*.jsonl,
# and a run goes on where it was stopped. Usage: scripts/reading.sh [--loci PROGRAM] [RUN …], of the runs below; all of them if
# none is named. With `report` they are reported from what is kept, without a model.
set -euo pipefail
cd "$(dirname "$0")/.."
loci=target/release/loci
if [ "${1:-}" = --loci ]; then
    loci=$2
    shift 2
fi
few="words=40,top=3"
some="words=40,top=8"
strategies="full,retrieval:$few,retrieval:$some,retrieval:$some,order=two-sided,retrieval:$some,order=reverse"
strategies="$strategies,retrieval:$few,by=meaning,retrieval:$few,by=fused"
strategies="$strategies,jrt,infini-retri:window=256,top_k=60,alr2,alr2:copy=false,alr2:mode=quotes"
strategies="$strategies,co-lor:words=40,pick=rate,short=none,co-lor:words=40,pick=rate"
strategies="$strategies,co-lor:words=40,pick=rate,short=lead,co-lor:words=40"
strategies="$strategies,full-ranking:$few,candidates=8,full-ranking:$few,candidates=8,window=4,step=2"
strategies="$strategies,structured:by=meaning,closed-book"
ends="full,retrieval:$few,sculptor:policy=scripted"
tenths=0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1
run() { # NAME TASK OPTION…; the strategy that others are compared with is `against`
    local name=$1 folder status=0
    shift
    local kept=docs/results/reading-$name.jsonl
    folder=$(mktemp -d)
    [ ! -f "$kept" ] || cp "$kept" "$folder/answers.jsonl"
    "$loci" eval "$@" --encoder "$(scripts/fetch-encoder.sh)" --against "${against:-full}" -o "$folder" || status=$?
    [ ! -f "$folder/answers.jsonl" ] || cp "$folder/answers.jsonl" "$kept"
    rm -r "$folder"
    return $status
}
one() {
    case $1 in
    passkey) run passkey passkey --lengths 1k --depths 0.1,0.5,0.9 --n 2 --methods "$strategies" ;;
    # One of twelve keys in prose: eleven sentences look like the one that is asked for.
    keys) run keys niah-multikey-1:keys=12 --lengths 1k --depths 0.1,0.5,0.9 --n 4 --methods "$strategies" ;;
    # The same, judged by which of the twelve numbers the model finds likeliest.
    likeliest)
        run likeliest niah-multikey-1:keys=12 --choose --lengths 1k --depths 0.1,0.5,0.9 --n 8 \
            --methods "full,jrt,structured:by=meaning,retrieval:$few,closed-book"
        ;;
    # Where in a prompt the model finds one sentence, and what distractors do to it.
    positions-1 | positions-4 | positions-12)
        run "$1" "niah-multikey-1:keys=${1#positions-}" --choose --lengths 1k --depths $tenths --n 6 --methods full
        ;;
    # The fields of device summaries: text and question once and twice.
    extraction)
        against=plain run extraction extraction:questions=9 --lengths 500 --n 12 --methods plain,jrt
        ;;
    updates-2 | updates-8 | updates-32)
        run "$1" "pi-updates:keys=6,updates=${1#updates-}" --lengths 2k --n 5 --methods "$ends"
        ;;
    report) for kept in docs/results/reading-*.jsonl; do echo "== $kept" && "$loci" eval report "$kept"; done ;;
    *)
        echo "no run is called $1" >&2
        return 2
        ;;
    esac
}
[ $# -gt 0 ] || set -- passkey keys positions-12 positions-4 positions-1 likeliest extraction updates-2 updates-8 updates-32
for name in "$@"; do
    one "$name"
done
