#!/usr/bin/env bash
# Tries the chat from outside: a server, a member with nothing but a socket, our client in a pipe, an orderly end.
#
#   .ci/smoke.sh COMMAND...    how the program is started, up to its own arguments
set -euo pipefail

# Nothing here takes this long on the slowest machine.
readonly PATIENCE=60

fail() {
    echo "smoke: $*" >&2
    exit 1
}

# Reads descriptor $1 up to a line that has $2 in it, into REPLY.
until_line() {
    while read -r -t "$PATIENCE" -u "$1"; do
        [[ $REPLY != *"$2"* ]] || return 0
    done
    fail "no line with '$2'"
}

place=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT

"$@" --version

mkfifo "$place/talk"
exec 3<>"$place/talk"
"$@" serve-chat 127.0.0.1:0 >"$place/log" 2>"$place/talk" &
server=$!
until_line 3 'listening on tcp://127.0.0.1:'
port=${REPLY##*:}

exec 4<>"/dev/tcp/127.0.0.1/$port"
until_line 4 '* you are '
echo 'from a pipe' | timeout "$PATIENCE" "$@" chat "127.0.0.1:$port" --nick smoke || fail "chat ended with $?"
until_line 4 '<smoke> from a pipe'
echo '/quit' >&4

kill -TERM "$server"
status=0
wait "$server" || status=$?
server=
[ "$status" -eq 143 ] || fail "the server ended with $status"
grep -qF 'from a pipe' "$place/log" || fail "the server's log has no line of the client's"
echo "smoke: a line went from the client through the server to a plain member; the end was orderly"
