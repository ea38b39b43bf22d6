#!/usr/bin/env bash
# What one Linux machine can say about other systems.
#
#   .ci/cross.sh parts     installs what the others need; as root, with a network
#   .ci/cross.sh TARGET    windows, macos, freebsd, netbsd, openbsd: type-checks everything; musl: builds, and tries
#                          the result; wine: builds for Windows, and runs the tests under Wine
#
# The compiler is Debian's: its library comes with its source, of the same release, so that it can be built for
# any target (-Zbuild-std, which a stable compiler allows with RUSTC_BOOTSTRAP). rustup's has neither the source nor
# another target's library. Ends with 77 where a part is missing.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

readonly LEFT_OUT=77
# rust-web is the newest compiler that Debian has: the one its browsers are built with. mingw compiles the C parts
# of dependencies for Windows, zig those for the rest.
readonly DEBIAN=(rustc-web cargo-web rust-web-src gcc-mingw-w64-x86-64-win32)
readonly PYTHON=(ziglang==0.17.1 cargo-zigbuild==0.24.1)

# All targets share a directory, each has its own below it: what runs on this machine (build scripts, macros) is built
# once for all. It is apart from target/, whose compiler is another.
export CARGO_TARGET_DIR=target/cross
readonly VENV=$PWD/target/cross-venv

left_out() {
    echo "left out: $*"
    exit $LEFT_OUT
}

# Each on its own: Windows needs nothing of Python's.
parts() {
    local status=0
    (debian "${DEBIAN[@]}" && compiler && "$RUSTC" --version) || status=$?
    (python_parts && "$VENV/bin/cargo-zigbuild" --version) || status=$?
    (debian wine && wine --version) || status=$?
    return $status
}

# Installs packages.
debian() {
    dpkg --status "$@" >/dev/null 2>&1 && return
    [ "$(id -u)" -eq 0 ] || left_out "installing $* takes root"
    export DEBIAN_FRONTEND=noninteractive
    if ! apt-get update -qq ||
        ! apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >/dev/null; then
        left_out "cannot install $*"
    fi
}

python_parts() {
    [ -x "$VENV/bin/cargo-zigbuild" ] && return
    python3 -m venv "$VENV" && "$VENV/bin/pip" install --quiet --disable-pip-version-check "${PYTHON[@]}" && return
    rm -rf "$VENV"
    left_out "cannot install ${PYTHON[*]}"
}

# Puts the compiler in the way of rustup's. Debug information is left out: nobody debugs these, and it takes gigabytes.
compiler() {
    [ -x /usr/bin/rustc ] || left_out "no /usr/bin/rustc"
    [ -x /usr/bin/cargo ] || left_out "no /usr/bin/cargo"
    [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std" ] ||
        left_out "the library's source is not beside /usr/bin/rustc"
    export PATH=$VENV/bin:/usr/bin:$PATH
    export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
    export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
    unset RUSTUP_TOOLCHAIN
}

# zig's C compiler for the target, and what it links with.
zig() { [ -x "$VENV/bin/cargo-zigbuild" ] || left_out "no cargo-zigbuild in $VENV"; }

# Type-checks everything, tests and benchmarks as well, for target $2 by the cargo $1.
check() { "$1" check --all-targets --locked -Zbuild-std --target "$2"; }

# The dev profile: whether it links and runs is the question, and the release profile takes minutes.
musl() {
    local target=x86_64-unknown-linux-musl
    local program=$CARGO_TARGET_DIR/$target/debug/sockkit
    # zig brings musl's start files itself.
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS=-Clink-self-contained=no
    cargo-zigbuild zigbuild --locked -Zbuild-std --target "$target" || return
    local headers
    headers=$(readelf --program-headers --wide "$program") || return
    if grep INTERP <<<"$headers"; then
        echo "$program is not static"
        return 1
    fi
    .ci/smoke.sh "$program"
}

# What Wine 8 is not Windows in: a socket is shut down before it is closed, so that nobody gets RST; some options are
# unknown. The test of 200 kills starts 400 programs, which takes Wine minutes.
readonly NOT_UNDER_WINE=(
    a_reset_ends_that_connection_alone
    a_name_from_before_means_nobody
    a_reset_on_purpose_is_seen_as_one_and_is_reported
    misbehaviour_is_exact
    misbehaviour_is_what_it_is_without_tls
    options_are_read_or_say_why_not
    a_server_and_a_client_take_options_and_tell_what_was_granted
    killed_at_any_byte_the_same_command_resumes
)

# Runs the tests as Windows would, as far as Wine is one. With many programs at once, one in thousands dies in Wine's
# own start ("Internal error", 1359). So what fails is run once more, alone, and has to pass then.
under_wine() {
    command -v wine >/dev/null || left_out "no wine"
    local target=x86_64-pc-windows-gnu
    export WINEDEBUG=-all WINEPREFIX=$PWD/target/cross/wine
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine
    # It tells of all that it has when it ends, and ends a minute after the last program.
    mkdir -p "$WINEPREFIX"
    wineserver --persistent=60 2>/dev/null
    wine wineboot --init && random_numbers || return
    local test=(cargo test --lib --test all --no-fail-fast --locked -Zbuild-std --target "$target" --)
    local log=$CARGO_TARGET_DIR/wine.log failed
    "${test[@]}" "${NOT_UNDER_WINE[@]/#/--skip=}" 2>&1 | tee "$log" && return
    mapfile -t failed < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log")
    [ ${#failed[@]} -gt 0 ] || return 1
    echo "!!!! once more, each alone: ${failed[*]}"
    "${test[@]}" --test-threads=1 --exact "${failed[@]}"
}

# Wine 8 has no library with the one function by which Rust's asks for random numbers.
random_numbers() {
    x86_64-w64-mingw32-gcc -shared -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" -xc - -ladvapi32 <<'EOF'
#include <windows.h>
BOOLEAN WINAPI SystemFunction036(void *, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *bytes, SIZE_T count) { return SystemFunction036(bytes, count); }
EOF
}

case ${1-} in
parts) parts ;;
windows) compiler && check cargo x86_64-pc-windows-gnu ;;
macos) compiler && zig && check cargo-zigbuild aarch64-apple-darwin ;;
freebsd) compiler && zig && check cargo-zigbuild x86_64-unknown-freebsd ;;
netbsd) compiler && zig && check cargo-zigbuild x86_64-unknown-netbsd ;;
openbsd) compiler && zig && check cargo-zigbuild x86_64-unknown-openbsd ;;
musl) compiler && zig && musl ;;
wine) compiler && under_wine ;;
*)
    echo "usage: .ci/cross.sh parts|windows|wine|macos|musl|freebsd|netbsd|openbsd" >&2
    exit 2
    ;;
esac
