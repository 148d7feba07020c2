#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what building and running ("run") or testing ("test") needs on Debian, and nothing that is there already.
# Installing mosquitto would start a broker of the system's, now and at each boot, on the port of ours: a policy-rc.d
# for this one call prevents the first, update-rc.d the second. A mosquitto that was there before is left as it is.
set -euo pipefail
export LC_ALL=C

run_packages="gcc make pkg-config libc6-dev libmicrohttpd-dev libmosquitto-dev libcjson-dev libsqlite3-dev libuv1-dev
 libsodium-dev libjpeg62-turbo-dev libssl-dev libcurl4-openssl-dev uthash-dev mosquitto curl"
test_packages="$run_packages clang libclang-rt-14-dev clang-format clang-tidy cppcheck libcmocka-dev python3
 python3-pytest python3-pytest-xdist python3-paho-mqtt openssl sqlite3 git tzdata"

case "${1:-}" in
run) packages=$run_packages ;;
test) packages=$test_packages ;;
*)
    echo "usage: $0 run|test" >&2
    exit 2
    ;;
esac

is_installed() {
    dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

missing=()
for package in $packages; do
    is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

give_up() {
    echo "gatehouse: $1. As root:" >&2
    echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
}
command -v apt-get >/dev/null || give_up "packages are missing, and this is no Debian: it needs what these are there"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || give_up "packages are missing, and neither root nor sudo is at hand"
    echo "gatehouse: packages are missing; sudo installs them"
    sudo true || give_up "packages are missing, and sudo was refused"
    as_root=(sudo)
fi
echo "gatehouse: installing ${missing[*]}"

policy=/usr/sbin/policy-rc.d
mark="# gatehouse, while it installs packages"
made_policy=
log=$(mktemp)
cleanup() {
    rm -f "$log"
    if [ -n "$made_policy" ] && grep -qxF "$mark" "$policy"; then "${as_root[@]}" rm -f "$policy"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# One with our mark was left by a call that was killed.
if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
    made_policy=yes
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

# Of apt's many lines: its complaints, how much there is to do, and every few seconds how far it is.
progress() {
    local line total=0 unpacked=0 ready=0 told=$SECONDS waiting=
    trap '' INT TERM HUP # apt ends in order when it is interrupted; without a reader it could not
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        case $line in
        E:* | W:* | Err:* | dpkg:\ error* | "Need to get"*) echo "    $line" ;;
        "Waiting for cache lock"*)
            [ -n "$waiting" ] || echo "    $line"
            waiting=yes
            ;;
        *" newly installed"*) total=${line#*upgraded, } total=${total%% *} ;;
        "Unpacking "*) unpacked=$((unpacked + 1)) ;;
        "Setting up "*) ready=$((ready + 1)) ;;
        esac
        if [ $((SECONDS - told)) -ge 4 ] && [ "$total" -gt 0 ]; then
            told=$SECONDS
            echo "    $unpacked unpacked, $ready set up, of $total packages"
        fi
    done
}

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1 | progress
}

had_mosquitto=
if is_installed mosquitto; then had_mosquitto=yes; fi
apt update || echo "gatehouse: apt's lists could not be renewed; trying with those that are here"
if ! apt install -y --no-install-recommends "${missing[@]}"; then
    # Why a package's own script failed is not in the complaints above.
    if grep -q '^dpkg: error' "$log"; then tail -n 25 "$log" | sed 's/^/    /' >&2; fi
    give_up "these packages are still missing"
fi
if [ -z "$had_mosquitto" ] && is_installed mosquitto; then
    "${as_root[@]}" update-rc.d mosquitto disable >/dev/null 2>&1 || true
    echo "gatehouse: the system's own mosquitto stays off: the server starts one for itself"
fi
