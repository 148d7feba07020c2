#!/bin/bash
# SPDX-License-Identifier: MIT
# All tests, one line each as it goes; failures are told again at the end. The last line is
# "N passed, M failed": unit tests and wire tests each count as themselves, the others as one.
set -u
cd "$(dirname "$0")/.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that called: its job server is not for the makes below
logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
passed=0 failed=0 bad=()

# step NAME COMMAND...: runs it; its own last line "N passed, M failed" counts, else its status.
step() {
    local name=$1 log="$logs/$1" began=$SECONDS status counts p f
    shift
    "$@" >"$log" 2>&1
    status=$?
    counts=$(tail -n 1 "$log" | grep -Ex '[0-9]+ passed, [0-9]+ failed')
    if [ -n "$counts" ]; then
        read -r p _ f _ <<<"$counts"
    else
        p=$((status == 0)) f=$((status != 0))
    fi
    [ "$status" -ne 0 ] && [ "$f" -eq 0 ] && f=1
    passed=$((passed + p)) failed=$((failed + f))
    [ "$f" -ne 0 ] && bad+=("$name")
    printf '%-6s %s  %d passed, %d failed  (%d s)\n' "$name" "$([ "$f" -eq 0 ] && echo ok || echo FAILED)" \
        "$p" "$f" $((SECONDS - began))
}

step lint tests/lint/run.sh
step unit tests/run_unit.sh
step fuzz tests/fuzz/run.sh replay
step wire tests/run_wire.sh

for name in "${bad[@]}"; do
    printf '\n--- %s failed; the end of its log:\n' "$name"
    tail -n 200 "$logs/$name"
done
[ ${#bad[@]} -gt 0 ] && echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
