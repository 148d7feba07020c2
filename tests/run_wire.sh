#!/bin/sh
# SPDX-License-Identifier: MIT
# The tests over the wire: the real server, a real broker, independent clients. Arguments go to
# pytest. The last line is "N passed, M failed".
set -u
cd "$(dirname "$0")/.." || exit 1
: "${GATEHOUSE_BIN:=$PWD/build/san/gatehouse}" "${PYTHON:=/usr/bin/python3}"
export GATEHOUSE_BIN
log=$(mktemp) || exit 1
# They mostly wait: for a broker, a disk, a deadline.
workers=$(($(nproc) * 2))
[ "$workers" -le 8 ] || workers=8
# pytest keeps the folders of its last runs.
PYTEST_DEBUG_TEMPROOT=$(mktemp -d) || exit 1
export PYTEST_DEBUG_TEMPROOT
trap 'rm -rf "$log" "$PYTEST_DEBUG_TEMPROOT"' EXIT

"$PYTHON" -B -m pytest -p no:cacheprovider -q -n "${WIRE_WORKERS:-$workers}" --rootdir tests/wire \
    -o addopts= tests/wire "$@" 2>&1 | tee "$log"

# pytest's summary: "3 failed, 120 passed, 1 error in 99.12s". Nothing run is a failure too.
awk '/ in [0-9.]+s/ { last = $0 }
     END {
         n = split(last, word, /[ ,]+/)
         for (i = 2; i <= n; i++) {
             if (word[i] == "passed") passed += word[i - 1]
             if (word[i] ~ /^(failed|errors?)$/) failed += word[i - 1]
         }
         if (passed + failed == 0) failed = 1
         printf "%d passed, %d failed\n", passed, failed
         exit failed != 0
     }' "$log"
