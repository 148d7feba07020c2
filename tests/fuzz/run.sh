#!/bin/bash
# SPDX-License-Identifier: MIT
# The fuzz targets, tests/fuzz/fuzz_NAME.c with seeds in tests/fuzz/seeds/NAME/.
#
#   tests/fuzz/run.sh replay [NAME...]   each target over its seeds
#   tests/fuzz/run.sh fuzz [NAME...]     each target for SECONDS_EACH (60) seconds; what it finds new is kept
#                                        in build/fuzz/corpus/NAME, what it breaks with in build/fuzz/broken/
#
# A target names what it is linked with in lines " * Sources: FILE..."; without one it gets all rooms.
set -u
cd "$(dirname "$0")/../.." || exit 2
out=build/fuzz
least_seeds=40
sanitize=address,undefined
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

# The rooms' own rules compile them, into a folder of their own, with coverage for the fuzzer.
compile() {
    make --no-print-directory -s -j"$(nproc)" CC=clang SAN="fuzzer-no-link,$sanitize" OUT="$out" "$@"
}

build() {
    local name=$1 source="tests/fuzz/fuzz_$1.c" sources objects
    sources=$(sed -n 's/^ \* Sources: *//p' "$source")
    if [ -n "$sources" ]; then
        # Unquoted on purpose: several files, maybe patterns.
        objects=$(printf "$out/%s.o\n" $(printf '%s\n' $sources | sed 's/\.c$//'))
    else
        objects=$out/libgatehouse.a
    fi
    compile "$out/tests/fuzz/fuzz_$name.o" $objects || return 1
    # shellcheck disable=SC2046
    clang -pie -fsanitize="fuzzer,$sanitize" -o "$out/fuzz_$name" "$out/tests/fuzz/fuzz_$name.o" $objects \
        $(pkg-config --libs libmicrohttpd libmosquitto libcjson sqlite3 libuv libsodium libjpeg openssl) -lpthread -lm
}

replay() {
    local name=$1 seeds=(tests/fuzz/seeds/"$1"/*)
    if [ ! -e "${seeds[0]}" ] || [ ${#seeds[@]} -lt $least_seeds ]; then
        echo "tests/fuzz/seeds/$name: ${#seeds[@]} seeds or none, at least $least_seeds are needed"
        return 1
    fi
    "$out/fuzz_$name" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$out/broken/$name-" "${seeds[@]}" || return 1
    count="${#seeds[@]} seeds"
}

fuzz() {
    local name=$1
    mkdir -p "$out/corpus/$name"
    "$out/fuzz_$name" -timeout=10 -rss_limit_mb=2048 -max_len="${MAX_LEN:-8192}" -artifact_prefix="$out/broken/$name-" \
        -max_total_time="${SECONDS_EACH:-60}" -print_final_stats=1 "$out/corpus/$name" "tests/fuzz/seeds/$name" ||
        return 1
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" runs"
}

mode=${1:-}
case $mode in
replay | fuzz) shift ;;
*)
    echo "usage: $0 replay|fuzz [NAME...]" >&2
    exit 2
    ;;
esac
if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=${source##*/fuzz_}
        set -- "$@" "${name%.c}"
    done
fi

mkdir -p "$out/broken" || exit 2
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
status=0
for name in "$@"; do
    count=
    if build "$name" >"$log" 2>&1 && "$mode" "$name" >"$log" 2>&1; then
        printf '%-12s ok    %s\n' "$name" "$count"
    else
        printf '%-12s FAIL\n' "$name"
        tail -n 60 "$log"
        status=1
    fi
done
exit $status
