#!/bin/bash
# Measures `sockkit send-file` and `recv-file` against their yardsticks and prints Markdown for docs/performance.md.
#
#   benches/transfer.sh                        everything, 5 runs each
#   benches/transfer.sh --quick                a smoke run: does it all still work? its figures mean nothing
#   benches/transfer.sh --runs 9 --only fresh  thrown|fresh|fsync|resume|small|memory|delay, a comma between them
#   benches/transfer.sh --size 2G --files 10000 --entries 1000000
#   benches/transfer.sh --tools sockkit,yardstick,nc
#   benches/transfer.sh --disk DIR             where fsync is measured, instead of the directory of temporary files
#   SOCKKIT=target/release/sockkit benches/transfer.sh    this one, instead of building it
#
# How: namespaces of its own for network and mounts, in which loopback uses CUBIC whatever the system's default is (BBR
# paces, which slows loopback by a third and more); sources and, but for fsync, targets in a tmpfs, so that no disk is
# measured; the tools in turn, A B C A B C, each run with fresh processes; medians of the runs, and ratios of medians. The
# time is from the start of the sender until both ends have ended, and until everything that the case promises is done:
# for `nc then openssl` until both digests are there. What arrived is compared with what was sent, outside of the
# time. Use an idle machine.
#
# sockkit is measured without encryption, as all the others but scp, and as sockkit-code with the code phrase that is
# its default. The yardstick (verified_copy.c) is the least that a program can do which sends a file and knows that it
# arrived; yardstick-once also sends what it hashed if the file changes meanwhile: it reads it once, without sendfile(2).
#
# What is measured:
#   thrown   A file that the far end throws away, so that only the way is measured. rsync and the cases that hash
#            afterwards need a file; they are in `fresh`.
#   fresh    A file that is new at the far end, on tmpfs, without fsync.
#   fsync    The same on a disk, with fsync. Virtual disks are noisy: look at the spread.
#   resume   A file of which nine tenths are there, and for comparison: reading and hashing all of it on one core.
#   small    Many files of 4 KiB on tmpfs, without fsync, into an empty directory.
#   memory   The greatest resident set of both ends (VmHWM, which getrusage has as ru_maxrss).
#   delay    Through a proxy that holds everything back for half of 100 ms in each direction (benches/delay.rs).
#            First data: until 64 KiB have come out at the receiver's end, in round trips.
#
# Needs: bash, cc, OpenSSL's headers, cargo, util-linux (unshare, mount), iproute2, openssl, nc (OpenBSD's). socat, ncat,
# rsync, scp and sshd are measured where they are installed. Root, or unprivileged user namespaces (without
# scp then: sshd must be root). Memory for four files of --size.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=benches/measuring.sh
. "$here/measuring.sh"

# What a command says, and not in whose language.
export LC_ALL=C

runs=5 quick='' only='thrown,fresh,fsync,resume,small,memory,delay' size=2G files=10000 entries=1000000 disk=''
tools='sockkit,sockkit-code,yardstick,yardstick-once,nc,socat,ncat,rsync,nc-then-openssl,nc-tee-openssl,nc-then-sha256sum,scp,tar-nc'

arguments=("$@")
while (($#)); do
    case $1 in
    --quick) quick=1 runs=1 size=64M files=500 entries=5000 ;;
    --runs) runs=${2:?a number} && shift ;;
    --size) size=${2:?a size} && shift ;;
    --files) files=${2:?a number} && shift ;;
    --entries) entries=${2:?a number} && shift ;;
    --only) only=${2:?measures} && shift ;;
    --tools) tools=${2:?tools} && shift ;;
    --disk) disk=${2:?a directory} && shift ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    *) die "unknown option $1; see --help" ;;
    esac
    shift
done

if [[ -z ${SOCKKIT_BENCH_DIR-} ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    [[ -z ${SOCKKIT-} ]] || SOCKKIT=$(realpath "$SOCKKIT")
    [[ -z ${DELAY-} ]] || DELAY=$(realpath "$DELAY")
    cd "$here/.."
    say 'building'
    if [[ -z ${SOCKKIT-} ]]; then
        cargo build --release --locked --message-format=json --bin sockkit >"$work/built"
        SOCKKIT=$(built sockkit <"$work/built")
    fi
    if [[ -z ${DELAY-} && ,$only, == *,delay,* ]]; then
        cargo build --release --locked --message-format=json --bench delay >"$work/built"
        DELAY=$(built delay <"$work/built")
    fi
    [[ -x $SOCKKIT ]] || die 'cargo does not say where it put what it built'
    cc -O2 -pthread -o "$work/verified_copy" benches/verified_copy.c -lcrypto
    export SOCKKIT DELAY=${DELAY-} SOCKKIT_BENCH_DIR=$work
    user=()
    ((EUID == 0)) || user=(--user --map-root-user)
    # The namespaces are gone with the last process in them.
    unshare "${user[@]}" --net --mount bash "$here/transfer.sh" "${arguments[@]}"
    exit
fi

# From here on inside.
work=$SOCKKIT_BENCH_DIR yardstick=$work/verified_copy
export PATH=$PATH:/usr/sbin
loopback_with_cubic
ram=$work/ram
mkdir "$ram"
# In pages of 4 KiB, as the page cache of a disk has them.
mount -t tmpfs -o size=90%,nr_inodes=0,huge=never none "$ram" 2>/dev/null || mount -t tmpfs -o size=90% none "$ram"
: "${disk:=$work/disk}"
mkdir -p "$disk"

bytes=$(numfmt --from=iec "$size")

# The processes of a case, to be ended with it.
pids=() port=2000
stop() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    pids=()
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Whether somebody listens on this port, by IPv4 or IPv6.
listens() {
    local hex
    printf -v hex ':%04X' "$1"
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }'
}

# Waits until somebody listens on the port; the last process started must live on meanwhile.
await_listener() {
    for _ in {1..400}; do
        ! listens "$1" || return 0
        kill -0 "${pids[-1]}" 2>/dev/null || break
        read -rt 0.02 <> <(:) || true
    done
    return 1
}

installed() {
    case $1 in
    sockkit | sockkit-code | yardstick | yardstick-once) ;;
    nc | socat | ncat | rsync) command -v "$1" >/dev/null ;;
    nc-* | tar-nc) command -v nc openssl >/dev/null ;;
    scp) command -v scp sshd ssh-keygen >/dev/null && ((EUID == 0)) && [[ $(</proc/self/uid_map) == *4294967295* ]] ;;
    *) die "unknown tool $1" ;;
    esac
}

rsync_conf() {
    cat <<CONF
use chroot = no
port = $port
address = 127.0.0.1
pid file = $work/rsyncd.$port.pid
[in]
path = $1
read only = no
uid = $(id -u)
gid = $(id -g)
CONF
}

sshd_conf() {
    cat <<CONF
Port $port
ListenAddress 127.0.0.1
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
Subsystem sftp internal-sftp
CONF
}

# tool, source, directory of the target, what the case wants (thrown|file|fsync|tree): sets `receiver` and `sender`, which
# run on $port; `afterwards`, which belongs to it; and `stays`, if the receiver does not end by itself.
describe() {
    local tool=$1 source=$2 into=$3 wants=$4 name sums=()
    name=$(basename "$source")
    local out=$into/$name
    [[ $wants != thrown ]] || out=/dev/null
    receiver=() sender=() afterwards=(true) stays=''
    case $tool in
    sockkit | sockkit-code)
        local channel=--plain
        [[ $tool == sockkit ]] || channel=--code-file=$work/code
        receiver=("$SOCKKIT" -q recv-file "$channel" "127.0.0.1:$port")
        case $wants in
        thrown) receiver=(bash -c "exec \"\$@\" >/dev/null" - "${receiver[@]}" -o -) ;;
        fsync) receiver+=(-d "$into") ;;
        *) receiver+=(-d "$into" --no-fsync) ;;
        esac
        sender=("$SOCKKIT" -q send-file "$channel" "127.0.0.1:$port" "$source")
        ;;
    yardstick | yardstick-once)
        receiver=("$yardstick" recv "$port" "$out")
        [[ $wants != fsync ]] || receiver+=(sync)
        sender=("$yardstick" send "$port" "$source")
        [[ $tool == yardstick ]] || sender+=(once)
        ;;
    nc)
        receiver=(bash -c "nc -l 127.0.0.1 $port >'$out'")
        sender=(bash -c "exec nc -N 127.0.0.1 $port <'$source'")
        [[ $wants != fsync ]] || afterwards=(sync "$out")
        ;;
    socat)
        receiver=(socat -u -b 1048576 "TCP-LISTEN:$port,bind=127.0.0.1" "OPEN:$out,creat,trunc")
        sender=(socat -u -b 1048576 "OPEN:$source" "TCP:127.0.0.1:$port")
        ;;
    ncat)
        receiver=(bash -c "ncat -l --recv-only 127.0.0.1 $port >'$out'")
        sender=(bash -c "exec ncat --send-only 127.0.0.1 $port <'$source'")
        ;;
    rsync)
        rsync_conf "$into" >"$work/rsyncd.conf"
        receiver=(rsync --daemon --no-detach "--config=$work/rsyncd.conf") stays=1
        sender=(rsync -a -W "$source" "rsync://127.0.0.1:$port/in/")
        [[ $wants != fsync ]] || sender+=(--fsync)
        ;;
    nc-then-openssl | nc-then-sha256sum)
        sums=(openssl dgst -sha256 -r)
        [[ $tool == nc-then-openssl ]] || sums=(sha256sum)
        receiver=(bash -c "nc -l 127.0.0.1 $port >'$out'")
        sender=(bash -c "exec nc -N 127.0.0.1 $port <'$source'")
        # Both ends at once, as two machines would.
        afterwards=(bash -c "${sums[*]} <'$out' >'$work/theirs' & ${sums[*]} <'$source' >'$work/ours'
            wait && cmp '$work/theirs' '$work/ours'")
        ;;
    nc-tee-openssl)
        receiver=(bash -c "nc -l 127.0.0.1 $port | tee '$out' | openssl dgst -sha256 -r >'$work/theirs'")
        sender=(bash -c "tee >(exec nc -N 127.0.0.1 $port) <'$source' | openssl dgst -sha256 -r >'$work/ours'")
        afterwards=(cmp "$work/theirs" "$work/ours")
        ;;
    scp)
        sshd_conf >"$work/sshd.conf"
        receiver=("$(command -v sshd)" -D -e -f "$work/sshd.conf") stays=1
        sender=(scp -q -B -F none -c aes128-gcm@openssh.com -P "$port" -i "$work/user_key" -o IdentitiesOnly=yes
            -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$source" "$(id -un)@127.0.0.1:$out")
        ;;
    tar-nc)
        receiver=(bash -c "nc -l 127.0.0.1 $port | tar -x -C '$into'")
        sender=(bash -c "tar -c -C '$(dirname "$source")' '$name' | nc -N 127.0.0.1 $port")
        ;;
    esac
}

# case tool source target wants: one run; its figures or its failure are appended to the case's file.
measure() {
    local file=$work/$1.$2 from to status=0
    port=$((port + 1))
    describe "$2" "$3" "$4" "$5"
    say "$1 $2"
    # The host of a virtual machine may have taken back what was free: new files would wait for it.
    "$yardstick" touch $((bytes + bytes / 4))
    rm -f "$work/receiver.figures" "$work/sender.figures"
    "$yardstick" run "$work/receiver.figures" "${receiver[@]}" >"$work/receiver.log" 2>&1 </dev/null &
    pids+=($!)
    if ! await_listener "$port"; then
        echo "does not listen: $(tail -n 1 "$work/receiver.log")" >>"$file.failed"
        stop
        return
    fi
    from=$EPOCHREALTIME
    "$yardstick" run "$work/sender.figures" "${sender[@]}" >"$work/sender.log" 2>&1 </dev/null || status=$?
    if ((status == 0)) && [[ -z $stays ]]; then
        wait "${pids[-1]}" || status=$?
    fi
    ((status)) || "${afterwards[@]}" >"$work/afterwards.log" 2>&1 || status=$?
    to=$EPOCHREALTIME
    stop
    if ((status == 0)) && [[ $5 != thrown ]]; then
        diff -rq "$3" "$4/$(basename "$3")" >"$work/differs" 2>&1 || status=differs
    fi
    if [[ $status == 0 ]]; then
        echo " seconds=$(awk -v a="$from" -v b="$to" 'BEGIN { printf "%.6f", b - a }')" \
            "receiver_kib=$(figure receiver)" "sender_kib=$(figure sender) " >>"$file"
    else
        printf 'status %s: %s\n' "$status" "$(cat "$work"/{sender,receiver}.log | tail -n 1 | cut -c -160)" >>"$file.failed"
    fi
}

figure() {
    sed -n 's/.* peak_kib=\([0-9]*\).*/\1/p' "$work/$1.figures" 2>/dev/null || echo '-'
}

# case tools source target wants [prepare...]: all runs, the tools in turn, each with an empty target.
measure_all() {
    local case=$1 list=$2 source=$3 into=$4 wants=$5 tool
    for ((run = 0; run < runs; run++)); do
        for tool in ${list//,/ }; do
            has "$tools" "$tool" || continue
            rm -rf "$into" && mkdir "$into"
            ((${#@} == 5)) || "${@:6}"
            measure "$case" "$tool" "$source" "$into" "$wants"
            rm -rf "$into"
        done
    done
}

# A file's MB (10^6 bytes) a second: median, or least and greatest.
rate() {
    awk -v s="$(median "$1" seconds)" -v b="$2" 'BEGIN { if (s == "-") print "-"; else printf "%.0f\n", b / s / 1e6 }'
}

rates() {
    values "$1" seconds | awk -v b="$2" 'NR == 1 { most = $1 } { least = $1 }
        END { if (NR) printf "%.0f-%.0f\n", b / least / 1e6, b / most / 1e6; else print "-" }'
}

failures() {
    [[ ! -e $work/$1.$2.failed ]] ||
        row "$2" "failed $(wc -l <"$work/$1.$2.failed") of $runs: $(sort "$work/$1.$2.failed" | uniq -c | sort -rn | sed 's/^ *[0-9]* //' | head -n 2 | paste -sd ';')"
}

# case, bytes, tool that is 1: a row for each tool that was tried, with how many times as fast sockkit is.
rate_rows() {
    local case=$1 bytes=$2 tool file
    head_row tool MB/s 'least-greatest' 'sockkit is' 'receiver, KiB' 'sender, KiB'
    for tool in ${tools//,/ }; do
        file=$work/$case.$tool
        if [[ -e $file ]]; then
            row "$tool" "$(rate "$file" "$bytes")" "$(rates "$file" "$bytes")" \
                "x $(ratio "$file" "$work/$case.sockkit" seconds)" \
                "$(median "$file" receiver_kib)" "$(median "$file" sender_kib)"
        fi
        failures "$case" "$tool"
    done
}

facts() {
    echo "- $(date -u +%Y-%m-%d), Linux $(uname -r), $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
    echo "- SHA instructions: $(grep -qw sha_ni /proc/cpuinfo && echo yes || echo 'not shown')"
    echo "- congestion control: cubic on the routes of this namespace (the default here: $(</proc/sys/net/ipv4/tcp_congestion_control))"
    echo "- load before: $(cut -d ' ' -f 1-3 /proc/loadavg)"
    echo "- $("$SOCKKIT" --version 2>/dev/null | head -n 1 || echo 'sockkit does not run'), $(cc --version | head -n 1), $(openssl version)"
    ! has "$tools" rsync || rsync --version | sed -n '1s/^/- /p'
    ! has "$tools" scp || ssh -V 2>&1 | sed -n '1s/^/- /p'
    ! has "$tools" socat || socat -V | sed -n '2s/^/- /p'
    ! has "$tools" ncat || ncat --version 2>&1 | sed -n '1s/^/- /p'
    echo "- medians of $runs runs, $bytes bytes${quick:+ (quick: these figures mean nothing)}"
}

# The random file, made once.
source_file() {
    if [[ ! -e $ram/from/data.bin ]]; then
        mkdir -p "$ram/from"
        head -c "$bytes" /dev/urandom >"$ram/from/data.bin"
    fi
}

# Many files: name, how many, bytes of each.
source_tree() {
    local name=$1 count=$2 each=$3 dir=0 here
    [[ ! -e $ram/$name ]] || return 0
    while ((dir * 1000 < count)); do
        here=$ram/$name/$dir
        mkdir -p "$here"
        local many=$((count - dir * 1000 < 1000 ? count - dir * 1000 : 1000))
        if ((each)); then
            head -c "$((many * each))" /dev/urandom | (cd "$here" && split -b "$each" -d -a 3)
        else
            (cd "$here" && seq -f 'x%03g' 0 "$((many - 1))" | xargs touch)
        fi
        dir=$((dir + 1))
    done
}

thrown() {
    source_file
    measure_all thrown sockkit,sockkit-code,yardstick,yardstick-once,nc,socat,ncat,nc-tee-openssl,scp \
        "$ram/from/data.bin" "$ram/into" thrown
    rate_rows thrown "$bytes"
}

fresh() {
    source_file
    measure_all fresh \
        sockkit,sockkit-code,yardstick,yardstick-once,nc,socat,ncat,rsync,nc-then-openssl,nc-tee-openssl,nc-then-sha256sum,scp \
        "$ram/from/data.bin" "$ram/into" file
    rate_rows fresh "$bytes"
}

fsync() {
    source_file
    measure_all fsync sockkit,yardstick,yardstick-once,nc,rsync "$ram/from/data.bin" "$disk/into" fsync
    rate_rows fsync "$bytes"
}

nine_tenths() {
    head -c "$((bytes / 10 * 9))" "$ram/from/data.bin" >"$ram/into/.data.bin.sockkit-part"
}

resume() {
    source_file
    for ((i = 0; i < runs; i++)); do
        "$yardstick" run "$work/hash.figures" "$yardstick" hash "$ram/from/data.bin" >/dev/null
        sed 's/^/ /; s/$/ /' "$work/hash.figures" >>"$work/hash.one-core"
        # In turn with it.
        runs=1 measure_all resume sockkit "$ram/from/data.bin" "$ram/into" file nine_tenths
    done
    head_row what seconds 'x SHA-256 by one core' 'receiver, KiB' 'sender, KiB'
    row 'SHA-256 by one core' "$(median "$work/hash.one-core" seconds)" 1 - -
    row 'resume with 90% there' "$(median "$work/resume.sockkit" seconds)" \
        "$(ratio "$work/resume.sockkit" "$work/hash.one-core" seconds)" \
        "$(median "$work/resume.sockkit" receiver_kib)" "$(median "$work/resume.sockkit" sender_kib)"
    failures resume sockkit
}

small() {
    local tool file
    source_tree small "$files" 4096
    measure_all small sockkit,tar-nc,rsync "$ram/small" "$ram/into" tree
    head_row tool seconds files/s 'sockkit takes' 'receiver, KiB' 'sender, KiB'
    for tool in sockkit tar-nc rsync; do
        file=$work/small.$tool
        if [[ -e $file ]]; then
            row "$tool" "$(median "$file" seconds)" \
                "$(awk -v s="$(median "$file" seconds)" -v n="$files" 'BEGIN { printf "%.0f", n / s }')" \
                "x $(ratio "$work/small.sockkit" "$file" seconds)" \
                "$(median "$file" receiver_kib)" "$(median "$file" sender_kib)"
        fi
        failures small "$tool"
    done
}

# Once each: memory is no matter of luck.
memory() {
    local case
    source_file
    source_tree small "$files" 4096
    source_tree entries "$entries" 0
    runs=1 measure_all memory-thrown sockkit "$ram/from/data.bin" "$ram/into" thrown
    runs=1 measure_all memory-file sockkit "$ram/from/data.bin" "$ram/into" file
    runs=1 measure_all memory-resume sockkit "$ram/from/data.bin" "$ram/into" file nine_tenths
    runs=1 measure_all memory-small sockkit "$ram/small" "$ram/into" tree
    runs=1 measure_all memory-entries sockkit "$ram/entries" "$ram/into" tree
    head_row case seconds 'receiver, KiB' 'sender, KiB'
    for case in thrown file resume small entries; do
        row "$case" "$(median "$work/memory-$case.sockkit" seconds)" \
            "$(median "$work/memory-$case.sockkit" receiver_kib)" "$(median "$work/memory-$case.sockkit" sender_kib)"
        failures "memory-$case" sockkit
    done
    rm -rf "$ram/entries"
}

delay() {
    local proxy status
    source_file
    for ((i = 0; i < runs; i++)); do
        rm -rf "$ram/into" && mkdir "$ram/into"
        port=$((port + 2)) proxy=$((port - 1)) status=0
        say delay
        describe sockkit "$ram/from/data.bin" "$ram/into" file
        "${receiver[@]}" >"$work/receiver.log" 2>&1 </dev/null &
        pids+=($!)
        await_listener "$port" || die "the receiver does not listen: $(tail -n 1 "$work/receiver.log")"
        "$DELAY" "127.0.0.1:$proxy" "127.0.0.1:$port" 50 >"$work/delay.figures" 2>"$work/delay.log" &
        pids+=($!)
        await_listener "$proxy" || die "the proxy does not listen: $(tail -n 1 "$work/delay.log")"
        describe sockkit "$ram/from/data.bin" "$ram/into" file
        "$SOCKKIT" -q send-file --plain "127.0.0.1:$proxy" "$ram/from/data.bin" >"$work/sender.log" 2>&1 || status=$?
        wait "${pids[0]}" || status=$?
        wait "${pids[1]}" || status=$?
        pids=()
        ((status)) || cmp -s "$ram/from/data.bin" "$ram/into/data.bin" || status=differs
        if [[ $status == 0 ]]; then
            sed 's/^/ /; s/$/ /' "$work/delay.figures" >>"$work/delay.sockkit"
        else
            echo "status $status: $(cat "$work"/{sender,receiver}.log | tail -n 1)" >>"$work/delay.sockkit.failed"
        fi
        rm -rf "$ram/into"
    done
    head_row 'first data, round trips of 100 ms' 'whole, seconds' 'MB/s'
    row "$(median "$work/delay.sockkit" first_round_trips)" "$(median "$work/delay.sockkit" seconds)" \
        "$(rate "$work/delay.sockkit" "$bytes")"
    failures delay sockkit
}

chosen=()
for tool in ${tools//,/ }; do
    if installed "$tool"; then
        chosen+=("$tool")
    else
        say "$tool is not installed, or cannot run here"
    fi
done
tools=$(IFS=, && echo "${chosen[*]}")
if has "$tools" scp; then
    for key in host user; do
        ssh-keygen -q -t ed25519 -N '' -f "$work/${key}_key"
    done
    mkdir -p /run/sshd
fi

# Which words is no matter; the default would be made up for each run.
echo 7-abbey-acorn-actor >"$work/code" && chmod 600 "$work/code"

facts
for name in ${only//,/ }; do
    case $name in
    thrown | fresh | fsync | resume | small | memory | delay) ;;
    *) die "unknown measure $name" ;;
    esac
    printf '\n### %s\n' "$name"
    "$name"
done
