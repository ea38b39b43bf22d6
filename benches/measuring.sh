# What the scripts here that measure share, to be sourced by them: what cargo built, a loopback that is alike for all,
# medians and ratios, and tables. `set -euo pipefail` is the script's.
# shellcheck shell=bash

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

say() {
    echo "${0##*/}: $*" >&2
}

# Whether a list with commas has a word.
has() {
    [[ ,$1, == *,$2,* ]]
}

# What cargo built last under this name, wherever its target directory is.
built() {
    sed -n 's/.*"name":"'"$1"'".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

# In a network namespace of its own: loopback uses CUBIC whatever the system's default is (BBR paces, which slows it
# by a third and more), and there are ports for all clients: closed connections keep theirs for a minute. The
# servers' own ports are below.
loopback_with_cubic() {
    local route
    ip link set lo up
    for route in 'local 127.0.0.0/8' 'local 127.0.0.1'; do
        # shellcheck disable=SC2086 # two words
        ip route change table local $route dev lo proto kernel scope host src 127.0.0.1 congctl cubic
    done
    echo '10000 65535' >/proc/sys/net/ipv4/ip_local_port_range 2>/dev/null || true
}

# Of one figure of a case, whose file has ` name=number ` in each line: all that there are, in order.
values() {
    sed -n "s/.* $2=\([^ ]*\) .*/\1/p" "$1" 2>/dev/null | sed '/^-$/d' | sort -g
}

median() {
    values "$1" "$2" | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2; else print "-" }'
}

# Least and greatest.
span() {
    values "$1" "$2" | awk 'NR == 1 { least = $1 } { most = $1 } END { if (NR) print least "-" most; else print "-" }'
}

# case, case, figure: of the medians.
ratio() {
    awk -v a="$(median "$1" "$3")" -v b="$(median "$2" "$3")" \
        'BEGIN { if (a == "-" || b == "-" || b == 0) print "-"; else printf "%.2f\n", a / b }'
}

row() {
    printf '|'
    printf ' %s |' "$@"
    printf '\n'
}

head_row() {
    echo
    row "$@"
    printf '|'
    printf -- '---|%.0s' "$@"
    printf '\n'
}
