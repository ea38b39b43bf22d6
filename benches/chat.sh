#!/bin/bash
# Measures `sockkit serve-chat` against its yardsticks and prints Markdown for docs/performance.md.
#
#   benches/chat.sh                         everything, 5 runs each: about an hour on two cores
#   benches/chat.sh --quick                 a smoke run: does it all still work? its figures mean nothing
#   benches/chat.sh --runs 9 --only flow    flow|join|idle|slow|latency|burst|calls|tls, a comma between them
#   benches/chat.sh --servers sockkit,naive sockkit|naive|log|ngircd|inspircd|ncat-chat|ncat-broker
#
# How: a network namespace of its own, in which loopback uses CUBIC whatever the system's default is (BBR paces,
# which slows loopback by a third and more); the servers in turn, A B C A B C, each run with a fresh process;
# medians of the runs, and ratios of medians. Use an idle machine: on two cores the server has one and the
# generator the other. The generator (benches/chat_load) compares each line at each receiver with what was
# sent; a line that is lost, doubled, damaged, out of order or under a wrong name makes that run fail, and the
# failure is printed instead of a figure.
#
# The yardsticks: `naive` (naive_chat.c) sends what it reads to each member at once, one write each. `log`
# (log_chat.c) is the design of sockkit with nothing around it: a room is a log, a member is a cursor. ngircd,
# inspircd (limits against flooding off) and ncat are measured where they are installed.
#
# What the figures mean:
#   flow     Lines of 100 bytes from 10 senders to all. A delivery is one line received by one client. "Open" are
#            lines of one sender that not all have received: with 1 it is a conversation, and what counts is how
#            few steps a line takes; with 32 lines pile up, and what counts is how many go in one step.
#            server and generator: share of a processor. When the generator's is near 1, it is what was measured.
#            write(v) per delivery: from /proc/PID/io, at full speed. That counts write and writev only: inspircd,
#            ncat and, where a member gets one piece, sockkit send with send(2); for them see calls.
#   join     From the first connect to the last client's word of welcome (IRC: end of the list of names). sockkit
#            waits 250 ms to see whether a client will speak its own protocol; that is included. Each further
#            client is announced to those who are there, by ngircd and inspircd one by one: that grows with the
#            square, so they are given fewer clients.
#   idle     Growth of VmRSS per client in the room, and processor time and wake-ups while nobody speaks.
#   slow     The last of 100 clients stops reading. kept: rate afterwards by the rate before, per receiver. Growth
#            is the server's VmRSS; the kernel's buffers are not in it, and are kept small here (tcp_wmem at most
#            128 KiB), so that it is soon the server's turn to decide. The client then reads what is there for
#            it: all of it, or less and a notice, or the end.
#   latency  From the moment a line is due to each receipt, at 20,000 deliveries/s, the generator never asleep.
#   burst    100 clients connect at once, then all talk for a second.
#   calls    strace -c around the server, for a fixed number of lines. strace slows what it counts, and so more
#            lines are waiting in each turn than otherwise: compare the servers with each other, and the numbers
#            of clients and of open lines for one server. Welcome and joins are in it.
#   tls      idle and flow with TLS around all of it, for sockkit, ngircd and inspircd, with one certificate for all
#            (ECDSA, P-256). The generator takes any certificate, and decrypts what each receiver gets: see its share.
#
# Needs: bash, cc, cargo, util-linux (unshare), iproute2; strace for calls. Root, or unprivileged user
# namespaces. `ulimit -n` of 20,000 for 10,000 clients.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=benches/measuring.sh
. "$here/measuring.sh"

# What a command says, and not in whose language.
export LC_ALL=C

runs=5 seconds=3 quick='' only='flow,join,idle,slow,latency,burst,calls,tls'
servers='sockkit,naive,log,ngircd,inspircd,ncat-chat,ncat-broker'
few=100 many=1000 crowd=10000 irc_crowd=1000 call_lines=20000 tls_crowd=2000 tls_many=500

arguments=("$@")
while (($#)); do
    case $1 in
    --quick) quick=1 runs=1 seconds=0.3 many=200 crowd=500 irc_crowd=100 call_lines=500 tls_crowd=200 tls_many=50 ;;
    --runs) runs=${2:?a number} && shift ;;
    --seconds) seconds=${2:?a number} && shift ;;
    --only) only=${2:?measures} && shift ;;
    --servers) servers=${2:?servers} && shift ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    *) die "unknown option $1; see --help" ;;
    esac
    shift
done

if [[ -z ${SOCKKIT_BENCH_DIR-} ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$here/.."
    say 'building'
    cargo build --release --locked --message-format=json --bin sockkit >"$work/built"
    cargo build --release --locked --message-format=json --bench chat-load >>"$work/built"
    SOCKKIT=$(built sockkit <"$work/built") LOAD=$(built chat-load <"$work/built")
    [[ -x $SOCKKIT && -x $LOAD ]] || die 'cargo does not say where it put what it built'
    for name in naive log; do
        cc -O2 -o "$work/${name}_chat" "benches/${name}_chat.c"
    done
    "$LOAD" self-test >&2
    export SOCKKIT LOAD SOCKKIT_BENCH_DIR=$work
    user=()
    ((EUID == 0)) || user=(--user --map-root-user)
    # The namespace is gone with the last process in it.
    unshare "${user[@]}" --net bash "$here/chat.sh" "${arguments[@]}"
    exit
fi

# From here on inside.
work=$SOCKKIT_BENCH_DIR
loopback_with_cubic
# A yardstick that crashes leaves no core in the tree: inspircd 3.15 with GnuTLS has done so.
ulimit -c 0
ulimit -n 20000 2>/dev/null || say "only $(ulimit -n) open files: measures with many clients will fail"

# secured: TLS is spoken if this is not empty.
pid='' port=2000 secured=''
stop() {
    [[ -n $pid ]] || return 0
    kill "$pid" 2>/dev/null || true
    # inspircd takes its time to say farewell to a thousand clients; no run begins beside it.
    wait "$pid" 2>/dev/null || true
    pid=''
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

listens() {
    local hex
    printf -v hex ':%04X' "$port"
    awk -v port="$hex" '$4 == "0A" && substr($2, 9) == port { found = 1 } END { exit !found }' /proc/net/tcp
}

installed() {
    case $1 in
    ngircd | inspircd) PATH=$PATH:/usr/sbin command -v "$1" >/dev/null ;;
    ncat-*) command -v ncat >/dev/null ;;
    esac
}

# One certificate for all that speak TLS: what sockkit makes for itself, with its key, in one file.
certificate=$work/sockkit/self-signed.pem
make_certificate() {
    [[ -s $certificate ]] && return
    port=$((port + 1))
    XDG_STATE_HOME=$work "$SOCKKIT" -q serve-chat "tls://127.0.0.1:$port" --self-signed >"$work/server.log" 2>&1 </dev/null &
    pid=$!
    for _ in {1..200}; do
        listens && break
        read -rt 0.05 <> <(:) || true
    done
    stop
    [[ -s $certificate ]] || die "no certificate: $(tail -n 1 "$work/server.log")"
}

ngircd_conf() {
    local plain="Ports = $port" secure=''
    if [[ -n $secured ]]; then
        # It always listens for plain clients too.
        plain="Ports = $((port + 5000))"
        secure=$'[SSL]\n'"CertFile = $certificate"$'\n'"KeyFile = $certificate"$'\n'"Ports = $port"
    fi
    cat <<CONF
[Global]
Name = irc.load.test
AdminInfo1 = load
AdminEMail = load@load.test
Info = load
Listen = 127.0.0.1
MotdPhrase = load
$plain
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
$secure
CONF
}

inspircd_conf() {
    local secure='' profile=''
    if [[ -n $secured ]]; then
        secure=' ssl="load"'
        profile="<module name=\"ssl_gnutls\"><sslprofile name=\"load\" provider=\"gnutls\" certfile=\"$certificate\"
 keyfile=\"$certificate\">"
    fi
    cat <<CONF
$profile
<server name="irc.load.test" description="load" network="load">
<admin name="load" nick="load" email="load@load.test">
<bind address="127.0.0.1" port="$port" type="clients"$secure>
<connect name="main" allow="*" timeout="600" pingfreq="1h" hardsendq="100M" softsendq="100M" recvq="1M"
 threshold="1000000" commandrate="1000000000" fakelag="no" localmax="100000" globalmax="100000"
 maxconnwarn="no" limit="100000" resolvehostnames="no" useident="no" maxchans="20">
<dns server="127.0.0.1" timeout="1">
<performance netbuffersize="65534" somaxconn="1024" softlimit="20000" clonesonconnect="no">
<log method="file" type="*" level="sparse" target="/dev/null">
<limits maxnick="30">
CONF
}

# Sets what runs a server on $port, and how the generator speaks to it.
describe() {
    speak=(--protocol plain)
    case $1 in
    sockkit)
        command=("$SOCKKIT" -q serve-chat "${secured:+tls://}127.0.0.1:$port" --rate off --max-per-ip 20000
            --max-clients 20000 --idle-timeout off)
        [[ -z $secured ]] || command+=(--cert "$certificate" --key "$certificate")
        ;;
    naive | log) command=("$work/$1_chat" "$port") ;;
    ngircd)
        ngircd_conf >"$work/ngircd.conf"
        command=(ngircd -n -f "$work/ngircd.conf")
        # Its backlog is 10, so not all can wait at its door.
        speak=(--protocol irc --entering 100)
        ;;
    inspircd)
        inspircd_conf >"$work/inspircd.conf"
        command=(inspircd --config "$work/inspircd.conf" --nofork --nopid --nolog --runasroot)
        speak=(--protocol irc --entering 500)
        ;;
    ncat-chat)
        command=(ncat -l --chat -m 5000 127.0.0.1 "$port")
        # It prefixes what it reads, not each line.
        speak=(--protocol plain --entering 4 --any-prefix)
        ;;
    ncat-broker)
        command=(ncat -l --broker -m 5000 127.0.0.1 "$port")
        speak=(--protocol mute --connecting 1)
        ;;
    esac
    [[ -z $secured ]] || speak+=(--tls)
}

start() {
    port=$((port + 1))
    describe "$1"
    PATH=$PATH:/usr/sbin "${@:2}" "${command[@]}" >"$work/server.log" 2>&1 </dev/null &
    pid=$!
    for _ in {1..200}; do
        listens && return
        kill -0 "$pid" 2>/dev/null || break
        read -rt 0.05 <> <(:) || true
    done
    say "$1 does not listen: $(tail -n 1 "$work/server.log")"
    stop
    return 1
}

# case server mode options...: one run; its figures or its failure are appended to the case's file.
measure() {
    local file=$work/$1.$2 figures
    start "$2" || return 0
    say "$1 $2"
    if figures=$("$LOAD" "$3" "127.0.0.1:$port" --pid "$pid" "${speak[@]}" "${@:4}" 2>"$work/failure"); then
        echo " $figures " >>"$file"
    else
        local ended=''
        kill -0 "$pid" 2>/dev/null || ended='the server has ended: '
        printf '%s\n' "$ended$(tail -n 1 "$work/failure" | cut -d ' ' -f 2- | cut -c -160)" >>"$file.failed"
    fi
    stop
}

# case servers mode options...: all runs, the servers in turn.
measure_all() {
    local case=$1 list=$2 server
    for ((run = 0; run < runs; run++)); do
        for server in ${list//,/ }; do
            if has "$servers" "$server"; then
                measure "$case" "$server" "${@:3}"
            fi
        done
    done
}

# case, columns in front, then figures: a row for each server that was tried. Ratios are to `naive`, or to $yardstick.
rows() {
    local case=$1 front=$2 server file cells figure
    for server in ${servers//,/ }; do
        file=$work/$case.$server
        if [[ -e $file ]]; then
            cells=()
            for figure in "${@:3}"; do
                case $figure in
                span:*) cells+=("$(span "$file" "${figure#*:}")") ;;
                ratio:*) cells+=("$(ratio "$file" "$work/$case.${yardstick:-naive}" "${figure#*:}")") ;;
                *) cells+=("$(median "$file" "$figure")") ;;
                esac
            done
            row "$front" "$server" "${cells[@]}"
        fi
        if [[ -e $file.failed ]]; then
            row "$front" "$server" "failed $(wc -l <"$file.failed") of $runs: $(sort "$file.failed" | uniq -c | sort -rn | sed 's/^ *[0-9]* //' | head -n 2 | paste -sd ';')"
        fi
    done
}

facts() {
    local governor=/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
    echo "- $(date -u +%Y-%m-%d), Linux $(uname -r), $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
    if [[ -r $governor ]]; then
        echo "- governor: $(<"$governor")"
    else
        echo '- governor: none is shown'
    fi
    echo "- congestion control: cubic on the routes of this namespace (the default here: $(</proc/sys/net/ipv4/tcp_congestion_control))"
    echo "- load before: $(cut -d ' ' -f 1-3 /proc/loadavg)"
    echo "- $("$SOCKKIT" --version 2>/dev/null || echo 'sockkit does not run'), $(cc --version | head -n 1)"
    for server in ngircd inspircd ncat-chat; do
        installed "$server" || continue
        case $server in
        ngircd) PATH=$PATH:/usr/sbin ngircd --version | sed -n '1s/^/- /p' ;;
        inspircd) PATH=$PATH:/usr/sbin inspircd --version 2>&1 | sed -n '1s/^/- /p' ;;
        ncat-chat) ncat --version 2>&1 | sed -n '1s/^/- /p' ;;
        esac
    done
    echo "- medians of $runs runs of ${seconds} s${quick:+ (quick: these figures mean nothing)}"
}

flow() {
    local open clients
    for open in 1 32; do
        for clients in "$few" "$many"; do
            measure_all "flow-$open-$clients" "$servers" flow --open "$open" --clients "$clients" \
                --seconds "$seconds" --patience 60
        done
    done
    head_row 'open, clients' server deliveries/s 'least-greatest' 'x naive' server generator 'write(v) per delivery'
    for open in 1 32; do
        for clients in "$few" "$many"; do
            rows "flow-$open-$clients" "$open, $clients" deliveries_per_s span:deliveries_per_s \
                ratio:deliveries_per_s server_cpu generator_cpu writes_per_delivery
        done
    done
}

join() {
    measure_all "join-$irc_crowd" "$servers" join --clients "$irc_crowd" --patience 60
    measure_all "join-$crowd" sockkit,naive,log join --clients "$crowd" --patience 60
    head_row 'clients' server seconds joins/s 'least-greatest' 'server, seconds of a processor' 'notices per client'
    for clients in "$irc_crowd" "$crowd"; do
        rows "join-$clients" "$clients" seconds joins_per_s span:joins_per_s server_cpu_seconds notices_per_client
    done
}

idle() {
    measure_all "idle-$irc_crowd" ngircd,inspircd idle --clients "$irc_crowd" --seconds 5 --patience 60
    measure_all "idle-$crowd" sockkit,naive,log idle --clients "$crowd" --seconds 5
    head_row 'clients' server 'KiB per client' 'KiB before' 'KiB after' processor 'wake-ups/s'
    for clients in "$irc_crowd" "$crowd"; do
        rows "idle-$clients" "$clients" kib_per_client rss_before_kib rss_after_kib cpu_share wakeups_per_s
    done
}

slow() {
    local open sizes
    sizes=$(</proc/sys/net/ipv4/tcp_wmem)
    echo '4096 16384 131072' >/proc/sys/net/ipv4/tcp_wmem
    for open in 1 32; do
        measure_all "slow-$open" "$servers" slow --open "$open" --clients "$few" --seconds "$seconds"
    done
    echo "$sizes" >/proc/sys/net/ipv4/tcp_wmem
    head_row 'open' server 'before, deliveries/s' after kept 'growth, KiB' 'lines meanwhile' 'of them received later' 'notices of skipped lines' 'put out'
    for open in 1 32; do
        rows "slow-$open" "$open" rate_before rate_after kept rss_growth_kib lines_meanwhile lines_received_late \
            skip_notices put_out
    done
}

latency() {
    local clients
    for clients in "$few" "$many"; do
        measure_all "latency-$clients" sockkit,naive,log,ngircd,inspircd latency --clients "$clients" --seconds "$seconds"
    done
    head_row 'clients' server 'p50, µs' 'p99, µs' 'p99.9, µs' 'greatest, µs' 'p50 x naive' 'p99 x naive' server
    for clients in "$few" "$many"; do
        rows "latency-$clients" "$clients" p50_us p99_us p999_us max_us ratio:p50_us ratio:p99_us server_cpu
    done
}

burst() {
    # The door's politeness would spoil it: all at once means at once. The last option of two counts.
    measure_all burst "$servers" burst --clients 100 --seconds 1
    head_row 'clients' server 'seconds' deliveries
    rows burst 100 seconds deliveries
}

tls() {
    local secured=tls list=sockkit,ngircd,inspircd open
    make_certificate
    measure_all "tls-idle-$tls_crowd" $list idle --clients "$tls_crowd" --seconds 5 --patience 60
    for open in 1 32; do
        measure_all "tls-flow-$open-$tls_many" $list flow --open "$open" --clients "$tls_many" --seconds "$seconds" --patience 60
    done
    head_row 'clients' server 'KiB per client' 'KiB before' 'KiB after' processor 'wake-ups/s'
    rows "tls-idle-$tls_crowd" "$tls_crowd" kib_per_client rss_before_kib rss_after_kib cpu_share wakeups_per_s
    head_row 'open, clients' server deliveries/s 'least-greatest' 'x ngircd' server generator 'write(v) per delivery'
    for open in 1 32; do
        yardstick=ngircd rows "tls-flow-$open-$tls_many" "$open, $tls_many" deliveries_per_s span:deliveries_per_s \
            ratio:deliveries_per_s server_cpu generator_cpu writes_per_delivery
    done
}

# Servers under strace: the tracer is $pid, so what it started is found and ended by hand.
calls() {
    local open clients server file deliveries traced
    command -v strace >/dev/null || { say 'no strace: no calls' && return; }
    head_row 'open, clients' server deliveries 'all calls' 'calls that write' 'writes per delivery' 'most frequent'
    for open in 1 32; do
        for clients in "$few" "$many"; do
            for server in ${servers//,/ }; do
                case $server in sockkit | naive | log | ngircd) ;; *) continue ;; esac
                start "$server" strace -c -f -o "$work/calls" || continue
                say "calls-$open-$clients $server"
                traced=$(<"/proc/$pid/task/$pid/children")
                traced=${traced%% *}
                file=$work/calls.figures
                "$LOAD" flow "127.0.0.1:$port" "${speak[@]}" --open "$open" --clients "$clients" \
                    --lines "$((call_lines / (open == 1 ? 10 : 1)))" --seconds 600 --patience 60 >"$file" 2>"$work/failure" || {
                    row "$open, $clients" "$server" "failed: $(tail -n 1 "$work/failure")"
                }
                kill "${traced:-$pid}" 2>/dev/null || true
                wait "$pid" 2>/dev/null || true
                pid=''
                [[ -s $file ]] || continue
                deliveries=$(sed -n 's/.* deliveries=\([^ ]*\).*/\1/p' "$file")
                row "$open, $clients" "$server" "${deliveries%.*}" "$(awk -v deliveries="$deliveries" '
                    $1 + 0 > 0 || $1 == "0.00" { name = $NF; if (name == "total") next; n = $4; all += n; count[name] = n
                        if (name ~ /^(write|writev|sendto|sendmsg|sendmmsg|send)$/) writes += n }
                    END { for (i = 0; i < 4; i++) { best = ""; for (c in count) if (best == "" || count[c] + 0 > count[best] + 0) best = c
                            if (best != "") { top = top (i ? ", " : "") best " " count[best]; delete count[best] } }
                        printf "%d | %d | %.4f | %s", all, writes, writes / deliveries, top }' "$work/calls")"
            done
        done
    done
}

chosen=()
for server in ${servers//,/ }; do
    case $server in
    sockkit | naive | log) chosen+=("$server") ;;
    ngircd | inspircd | ncat-chat | ncat-broker)
        if installed "$server"; then
            chosen+=("$server")
        else
            say "$server is not installed"
        fi
        ;;
    *) die "unknown server $server" ;;
    esac
done
servers=$(IFS=, && echo "${chosen[*]}")

facts
for name in ${only//,/ }; do
    case $name in
    flow | join | idle | slow | latency | burst | calls | tls) ;;
    *) die "unknown measure $name" ;;
    esac
    printf '\n### %s\n' "$name"
    "$name"
done
