#!/usr/bin/env bash
# Builds the fuzz targets with the stable compiler and runs each for a moment, from the examples in fuzz/seeds.
#
#   .ci/fuzz.sh [SECONDS [TARGET...]]
#
# The compiler puts libFuzzer's counters in by itself; what only a nightly has, and cargo-fuzz adds, is the address
# sanitizer, which finds little where `unsafe` is forbidden. Ends with 77 where there is no compiler for C++, in which
# libFuzzer is written.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

readonly LEFT_OUT=77
seconds=${1:-2}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)

if ! "${CXX:-c++}" --version >/dev/null 2>&1; then
    echo "left out: no compiler for C++"
    exit $LEFT_OUT
fi

# With a target named, the flags are not for what runs while building.
host=$(rustc --version --verbose | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=target/fuzz
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --manifest-path fuzz/Cargo.toml --locked --target "$host" --bins || exit 1

status=0
for target in "${targets[@]}"; do
    found=target/fuzz/found/$target
    seeds=fuzz/seeds/$target
    mkdir -p "$found" "target/fuzz/corpus/$target"
    [ -d "$seeds" ] || seeds=
    # shellcheck disable=SC2086
    if "target/fuzz/$host/debug/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$found/" -verbosity=0 -print_final_stats=1 "target/fuzz/corpus/$target" $seeds \
        >"$found/log" 2>&1; then
        printf '%s: %s runs\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log")"
    else
        tail -n 40 "$found/log"
        echo "FAILED: $target; the input is in $found"
        status=1
    fi
done
exit $status
