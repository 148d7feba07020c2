#!/bin/bash
# SPDX-License-Identifier: MIT
# The checks of the source, one line each; what is wrong follows its line as "file:line: message". Arguments
# are names of checks; none: all. The slow ones remember in build/lint which files were clean.
set -u
cd "$(dirname "$0")/../.." || exit 2
python=${PYTHON:-/usr/bin/python3}
jobs=${LINT_JOBS:-$(nproc)}
kept=build/lint
mkdir -p "$kept" || exit 2
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT

c_files() {
    git ls-files -co --exclude-standard '*.c' "$@" | sort -u | while read -r file; do
        [ -f "$file" ] && echo "$file"
    done
}

[ -n "$(c_files)" ] || {
    echo "lint: git lists no C files here; it runs in a clone"
    exit 1
}

compiler_flags() {
    make -s --no-print-directory --eval='print-flags: ; @printf "%s\n" $(ALL_CFLAGS)' print-flags |
        grep -vxE -e '-MMD|-MP|-Werror'
}

source_check() {
    "$python" tests/lint/source.py "$1"
}

format() {
    c_files '*.h' | xargs -r clang-format --dry-run -Werror 2>&1 | grep -E '(error|warning):' |
        sed -E 's/:[0-9]+: (error|warning): .*/: is not as clang-format writes it (make format)/' | sort -u | head -n 50
    [ "${PIPESTATUS[1]}" -eq 0 ]
}

# tidy_knows FILE SETTING: it was clean, and since then neither the newest setting nor any of the headers that
# it includes changed; its stamp lists them.
tidy_knows() {
    local stamp=$kept/tidy/$1.ok file
    [ -s "$stamp" ] && [ "$stamp" -nt "$2" ] || return 1
    while read -r file; do
        [ -f "$file" ] && [ "$stamp" -nt "$file" ] || return 1
    done <"$stamp"
}

tidy() {
    local newest file
    compiler_flags >"$kept/flags.new"
    cmp -s "$kept/flags.new" "$kept/flags" || mv "$kept/flags.new" "$kept/flags"
    newest=$(ls -t "$kept/flags" $(git ls-files -co --exclude-standard '*.clang-tidy') 2>/dev/null | head -n 1)
    # The stamp is as old as the look's beginning: what changed meanwhile is looked at again.
    c_files | while read -r file; do
        tidy_knows "$file" "$newest" || echo "$file"
    done | xargs -r -P "$jobs" -n 1 bash -c '
        stamp=$0/tidy/$1.ok
        mkdir -p "${stamp%/*}"
        cc -MM $(cat "$0/flags") "$1" 2>&1 | tr -s " \\\\" "\n" | grep "\.[ch]$" >"$stamp.new"
        if found=$(clang-tidy --quiet "$1" -- $(cat "$0/flags") 2>&1); then
            mv "$stamp.new" "$stamp"
        else
            rm -f "$stamp.new"
            grep -E ": (error|warning): " <<<"$found" | sed "s|^$PWD/||"
            exit 1
        fi' "$kept"
}

# uninitvar and uninitdata: cppcheck takes the macros of uthash for uses; compiler and sanitizers look too.
# arrayIndexOutOfBoundsCond: it counts `sizeof a->b / sizeof *a->b` wrong. A test without memory may crash.
cppcheck_all() {
    mkdir -p "$kept/cppcheck"
    c_files | xargs -r cppcheck --enable=warning,portability --error-exitcode=1 --std=c11 --quiet -j "$jobs" \
        -I. -D_GNU_SOURCE -DGATEHOUSE_VERSION='"0"' --inline-suppr --suppress=missingIncludeSystem \
        --suppress=uninitvar --suppress=uninitdata --suppress=arrayIndexOutOfBoundsCond \
        '--suppress=memleakOnRealloc:tests/*' --cppcheck-build-dir="$kept/cppcheck" \
        --template='{file}:{line}: {message} [{id}]' 2>&1
}

shell_scripts() {
    local file status=0
    for file in $(git ls-files -co --exclude-standard '*.sh'); do
        bash -n "$file" || status=1
    done
    return $status
}

checks="arrow order banned file-length function-length spdx leftovers format scripts selftest cppcheck tidy"
[ $# -gt 0 ] || set -- $checks
status=0
for check in "$@"; do
    began=$SECONDS
    case $check in
    format) format >"$log" 2>&1 ;;
    tidy) tidy >"$log" 2>&1 ;;
    cppcheck) cppcheck_all >"$log" 2>&1 ;;
    scripts) shell_scripts >"$log" 2>&1 ;;
    selftest) tests/lint/selftest.sh >"$log" 2>&1 ;;
    *) source_check "$check" >"$log" 2>&1 ;;
    esac
    if [ $? -eq 0 ]; then
        printf '%-16s ok    (%d s)\n' "$check" $((SECONDS - began))
    else
        printf '%-16s FAIL\n' "$check"
        sort -u "$log"
        status=1
    fi
done
exit $status
