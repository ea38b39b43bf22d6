#!/bin/bash
# Measures `sockkit echo` against its yardsticks and prints Markdown for docs/performance.md.
#
#   benches/echo.sh                        everything, 5 runs each
#   benches/echo.sh --quick                a smoke run: does it all still work? its figures mean nothing
#   benches/echo.sh --runs 9 --only tcp    tcp|udp|idle|threads, a comma between them
#
# How: as chat.sh does it. A network namespace of its own in which loopback uses CUBIC; the servers in turn, each
# run with a fresh process; medians, and ratios of medians. Use an idle machine. The generator
# (benches/echo_load) compares every byte that comes back; a connection that dies or a byte that differs makes
# that run fail, and the failure is printed instead of a figure.
#
# The yardsticks: `naive` (naive_echo.c) is the least that an echo can be, epoll, read and write; for datagrams
# recvfrom and sendto. `tokio` (tokio_echo/) is the least that one is on tokio, for TCP; its crates are fetched when
# it is built the first time, and where that is not possible it is left out. `ncat -k -e /bin/cat` and
# `socat ...,fork EXEC:cat` are measured where they are installed.
#
# "x best" is the ratio to the better of naive and tokio.
#
#   tcp      Closed loop: each connection has one message on its way.
#   udp      The same with so many sockets. lost: answers that did not come within a second.
#   idle     Growth of VmRSS for each connection that has said one byte.
#   threads  tcp with 50 connections of 64 bytes and --threads 1, 2, ... as many as there are processors.
#
# Needs: bash, cc, cargo, util-linux (unshare), iproute2. Root, or unprivileged user namespaces.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=benches/measuring.sh
. "$here/measuring.sh"

export LC_ALL=C

runs=5 seconds=2 only='tcp,udp,idle,threads' quick='' crowd=10000
servers='sockkit naive tokio ncat socat'

arguments=("$@")
while (($#)); do
    case $1 in
    --quick) quick=1 runs=1 seconds=0.3 crowd=500 ;;
    --runs) runs=${2:?a number} && shift ;;
    --seconds) seconds=${2:?a number} && shift ;;
    --only) only=${2:?measures} && shift ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    *) die "unknown option $1; see --help" ;;
    esac
    shift
done

if [[ -z ${SOCKKIT_BENCH_DIR-} ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$here/.."
    # SOCKKIT, LOAD and TOKIO may name what is built already.
    if [[ -z ${SOCKKIT-} || -z ${LOAD-} ]]; then
        say 'building'
        cargo build --release --locked --message-format=json --bin sockkit >"$work/built"
        cargo build --release --locked --message-format=json --bench echo-load >>"$work/built"
        SOCKKIT=$(built sockkit <"$work/built") LOAD=$(built echo-load <"$work/built")
    fi
    [[ -x $SOCKKIT && -x $LOAD ]] || die 'cargo does not say where it put what it built'
    cc -O2 -o "$work/naive_echo" benches/naive_echo.c
    if [[ -z ${TOKIO-} ]]; then
        TOKIO=$work/tokio/release/tokio_echo
        cargo build --release --locked --quiet --manifest-path benches/tokio_echo/Cargo.toml \
            --target-dir "$work/tokio" || say 'tokio_echo cannot be built: it is LEFT OUT'
    fi
    export SOCKKIT LOAD TOKIO SOCKKIT_BENCH_DIR=$work
    user=()
    ((EUID == 0)) || user=(--user --map-root-user)
    unshare "${user[@]}" --net bash "$here/echo.sh" "${arguments[@]}"
    exit
fi

# From here on inside.
work=$SOCKKIT_BENCH_DIR
loopback_with_cubic
ulimit -n 20000 2>/dev/null || say "only $(ulimit -n) open files: measures with many clients will fail"

pid='' port=2000
stop() {
    [[ -n $pid ]] || return 0
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=''
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Whether somebody listens on $port: state 0A of TCP, 07 of UDP.
listens() {
    local hex state=0A file=/proc/net/tcp
    printf -v hex ':%04X' "$port"
    [[ $1 == tcp ]] || { state=07 file=/proc/net/udp; }
    awk -v port="$hex" -v state="$state" \
        '$4 == state && substr($2, 9) == port { found = 1 } END { exit !found }' "$file"
}

# server protocol options...: starts it on a new port.
start() {
    port=$((port + 1))
    local command
    case $1-$2 in
    sockkit-*) command=("$SOCKKIT" -q echo "$2://127.0.0.1:$port" --idle-timeout off --max-clients 20000 "${@:3}") ;;
    naive-tcp) command=("$work/naive_echo" "$port") ;;
    tokio-tcp) command=("$TOKIO" "$port") ;;
    naive-udp) command=("$work/naive_echo" "$port" udp) ;;
    ncat-tcp) command=(ncat -k -l -m 5000 -e /bin/cat 127.0.0.1 "$port") ;;
    socat-tcp) command=(socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,backlog=1024" EXEC:cat) ;;
    *) return 1 ;;
    esac
    command -v "${command[0]}" >/dev/null || return 1
    "${command[@]}" >"$work/server.log" 2>&1 </dev/null &
    pid=$!
    for _ in {1..200}; do
        listens "$2" && return
        kill -0 "$pid" 2>/dev/null || break
        read -rt 0.05 <> <(:) || true
    done
    say "$1 does not listen: $(tail -n 1 "$work/server.log")"
    stop
    return 1
}

# case server protocol options...: one run of the generator against what was started.
load() {
    local file=$work/$1.$2 figures
    say "$1 $2"
    if figures=$(timeout 120 "$LOAD" "${@:3}" 2>"$work/failure"); then
        echo "$figures" >>"$file"
    else
        grep -v '^note:\|^thread\|^$' "$work/failure" | head -n 1 | cut -c -120 >>"$file.failed"
    fi
}

# case: which of the two yardsticks did better there.
better() {
    local naive tokio
    naive=$(median "$work/$1.naive" trips_per_s) tokio=$(median "$work/$1.tokio" trips_per_s)
    awk -v naive="$naive" -v tokio="$tokio" \
        'BEGIN { print (tokio != "-" && (naive == "-" || tokio + 0 > naive + 0)) ? "tokio" : "naive" }'
}

# case, columns in front: a row for each server that was tried.
rows() {
    local server file best
    best=$(better "$1")
    for server in $servers; do
        file=$work/$1.$server
        if [[ -e $file ]]; then
            echo "| $2 | $server | $(median "$file" trips_per_s) | $(span "$file" trips_per_s) |" \
                "$(ratio "$file" "$work/$1.$best" trips_per_s) | $(median "$file" p50_us) |" \
                "$(median "$file" p99_us) | $(median "$file" max_us) |"
        fi
        if [[ -e $file.failed ]]; then
            echo "| $2 | $server | failed $(wc -l <"$file.failed") of $runs: $(head -n 1 "$file.failed") | | | | | |"
        fi
    done
}

table() {
    printf '\n| %s | server | round trips/s | least-greatest | x best | p50, µs | p99, µs | greatest, µs |\n' "$1"
    echo '|---|---|---|---|---|---|---|---|'
}

# protocol connections sizes...
round_trips() {
    local connections size server name
    table 'connections, bytes'
    for connections in $2; do
        for size in $3; do
            name=$1-$connections-$size
            for ((run = 0; run < runs; run++)); do
                for server in $servers; do
                    # A process for each connection: a thousand of them measure something else.
                    [[ $server == @(ncat|socat) && $connections -gt 50 ]] && continue
                    start "$server" "$1" || continue
                    load "$name" "$server" "$1" "127.0.0.1:$port" --connections "$connections" --size "$size" \
                        --seconds "$seconds"
                    stop
                done
            done
            rows "$name" "$connections, $size"
        done
    done
}

tcp() {
    round_trips tcp '1 50 1000' '64 1024 65536'
}

udp() {
    local server
    round_trips udp '1 20' '64 1400'
    printf '\n| server | answers lost, all runs together |\n|---|---|\n'
    for server in sockkit naive; do
        echo "| $server | $(cat "$work"/udp-*."$server" | tr ' ' '\n' | awk -F= '$1 == "lost" { sum += $2 } END { print sum + 0 }') |"
    done
}

idle() {
    local server
    printf '\n| connections | server | bytes each | growth, KiB |\n|---|---|---|---|\n'
    for server in sockkit naive; do
        start "$server" tcp || continue
        load idle "$server" idle "127.0.0.1:$port" --connections "$crowd" --pid "$pid"
        stop
        echo "| $crowd | $server | $(median "$work/idle.$server" bytes_per_connection) | $(median "$work/idle.$server" growth_kib) |"
    done
}

threads() {
    local threads name
    table 'threads'
    for ((threads = 1; threads <= $(nproc); threads++)); do
        name=threads-$threads
        for ((run = 0; run < runs; run++)); do
            start sockkit tcp --threads "$threads" || continue
            load "$name" sockkit tcp "127.0.0.1:$port" --connections 50 --size 64 --seconds "$seconds"
            stop
        done
        rows "$name" "$threads"
    done
}

echo "- $(date -u +%Y-%m-%d), Linux $(uname -r), $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
echo "- load before: $(cut -d ' ' -f 1-3 /proc/loadavg)"
echo "- $("$SOCKKIT" --version), $(cc --version | head -n 1)"
echo "- medians of $runs runs of ${seconds} s${quick:+ (quick: these figures mean nothing)}"
for name in ${only//,/ }; do
    case $name in
    tcp | udp | idle | threads) ;;
    *) die "unknown measure $name" ;;
    esac
    printf '\n### %s\n' "$name"
    "$name"
done
