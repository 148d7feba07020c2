#!/bin/bash
# SPDX-License-Identifier: MIT
# The unit tests: each binary under build/san/tests/unit, as many at a time as there are processors, one
# line each; the log of a failing one is shown at the end. Arguments are names of binaries
# ("server/test_config"); none: all that tests/unit has, and one that isn't built is a failure. The last
# line is "N passed, M failed".
set -u
cd "$(dirname "$0")/.." || exit 1
export UNIT_FOLDER=${UNIT_FOLDER:-build/san/tests/unit}
export UNIT_LOGS
UNIT_LOGS=$(mktemp -d) || exit 1
trap 'rm -rf "$UNIT_LOGS"' EXIT
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1

# unit NAME: runs one binary, prints its line, leaves its counts; its log only when it failed.
unit() {
    local name=$1 log status passed failed
    log=$UNIT_LOGS/${name//\//.}
    if [ -x "$UNIT_FOLDER/$name" ]; then
        timeout -k 5 "${UNIT_TIMEOUT:-120}" "$UNIT_FOLDER/$name" >"$log.log" 2>&1 </dev/null
        status=$?
    else
        echo "$UNIT_FOLDER/$name is not built; \`make unit\` builds it" >"$log.log"
        status=127
    fi
    passed=$(grep -ac '^\[       OK \]' "$log.log")
    failed=$(sed -nE 's/^\[  (FAILED|ERROR) *\] ([A-Za-z_0-9]+)$/\2/p' "$log.log" | sort -u | wc -l)
    # A leak, a crash or a time-out fails without a test's name; so does a binary without tests.
    if [ "$status" -ne 0 ] || [ "$passed" -eq 0 ]; then
        [ "$failed" -gt 0 ] || failed=1
        [ "$status" -lt 124 ] || echo "status $status (124: out of time)" >>"$log.log"
    fi
    if [ "$failed" -eq 0 ]; then
        rm -f "$log.log"
        printf '%-36s ok    %d tests\n' "$name" "$passed"
    else
        printf '%-36s FAIL  %d of %d tests\n' "$name" "$failed" $((passed + failed))
    fi
    echo "$passed $failed" >"$log.counts"
}
export -f unit

if [ $# -gt 0 ]; then
    names=$(printf '%s\n' "$@")
else
    names=$(find tests/unit -name 'test_*.c' -printf '%P\n' | sed 's/\.c$//' | sort)
fi
[ -n "$names" ] || echo "no unit tests under tests/unit"
xargs -r -P "${UNIT_JOBS:-$(nproc)}" -I '{}' bash -c 'unit "$1"' unit '{}' <<<"$names"

for log in "$UNIT_LOGS"/*.log; do
    [ -e "$log" ] || continue
    printf '\n--- %s\n' "$(basename "$log" .log | tr . /)"
    tail -n 100 "$log"
done
cat "$UNIT_LOGS"/*.counts /dev/null | awk '
    { passed += $1; failed += $2 }
    END {
        if (NR == 0) failed = 1
        printf "%d passed, %d failed\n", passed, failed
        exit failed != 0
    }'
