#!/usr/bin/env bash
# Runs a command beside a Postgres server of its own, which is gone afterwards: LOCI_TEST_POSTGRES is its address,
# LOCI_TEST_POSTGRES_DATA its folder. A server that LOCI_TEST_POSTGRES names already is left as it is. Where there is no server the
# command runs without. Usage: scripts/with-postgres.sh COMMAND…
set -euo pipefail

without() {
    printf 'no server of Postgres: %s\n' "$1" >&2
    "${command[@]}"
    exit
}

command=("$@")
[ -z "${LOCI_TEST_POSTGRES:-}" ] || exec "${command[@]}"
server=$("$(dirname "$0")/fetch-postgres.sh") || without 'the reason is above; LOCI_TEST_POSTGRES=postgres://… names a server to use'

# A path of a socket may have a hundred bytes, whatever TMPDIR says.
folder=$(mktemp -d /tmp/loci-postgres.XXXXXX)
as=()
if [ "$(id -u)" -eq 0 ]; then
    # Postgres does not run as root, and nobody else may look into root's folders.
    as=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
    case $server in
        "$HOME"/*)
            cp -r "$(dirname "$(dirname "$server")")" "$folder/installed"
            server=$folder/installed/server/$(basename "$server")
            ;;
    esac
    chown nobody "$folder"
    chmod 755 "$folder"
fi
started=
end() {
    [ -z "$started" ] || kill -INT "$started" 2>/dev/null || true
    [ -z "$started" ] || wait "$started" 2>/dev/null || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM

cd "$folder"
"${as[@]}" "$server/bin/initdb" --pgdata="$folder/data" --username=loci --auth=trust --encoding=UTF8 --locale=C --no-sync \
    >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; without 'initdb failed (its message is above)'; }
# Tests kill clients, not the server: what it writes need not survive it. Its log is removed rather than used again, so that it
# can be searched for what was to be forgotten.
"${as[@]}" "$server/bin/postgres" -D "$folder/data" -c listen_addresses= -c unix_socket_directories="$folder" -c fsync=off \
    -c full_page_writes=off -c max_connections=200 -c wal_recycle=off >"$folder/server.log" 2>&1 &
started=$!
for _ in $(seq 300); do
    if "${as[@]}" "$server/bin/pg_isready" --quiet --host="$folder" --username=loci; then
        ready=yes
        break
    fi
    sleep 0.1
done
[ -n "${ready:-}" ] || { cat "$folder/server.log" >&2; without 'the server did not start (its message is above)'; }
cd "$OLDPWD"
export LOCI_TEST_POSTGRES="postgres://loci@${folder//\//%2F}/postgres" LOCI_TEST_POSTGRES_DATA="$folder/data"
status=0
"${command[@]}" || status=$?
exit "$status"
