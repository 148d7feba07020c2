#!/usr/bin/env bash
# Installs what building and running ("run") or testing ("test") needs on Debian, and nothing that is there already.
# Installing mosquitto starts a system service where an init system runs; a policy-rc.d for this one call prevents
# that, and a service that was there before is left as it is.
set -euo pipefail

run_packages="gcc make pkg-config libmicrohttpd-dev libmosquitto-dev libcjson-dev libsqlite3-dev libuv1-dev
 libsodium-dev libjpeg62-turbo-dev libssl-dev libcurl4-openssl-dev uthash-dev mosquitto curl"
test_packages="$run_packages clang libclang-rt-14-dev clang-format clang-tidy cppcheck libcmocka-dev python3
 python3-pytest python3-pytest-xdist python3-paho-mqtt openssl sqlite3 git"

case "${1:-}" in
run) packages=$run_packages ;;
test) packages=$test_packages ;;
*)
    echo "usage: $0 run|test" >&2
    exit 2
    ;;
esac

missing=()
for package in $packages; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "gatehouse: these packages are missing and need root to install: ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi
echo "gatehouse: installing ${missing[*]}"

policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
    [ -z "$made_policy" ] || "${as_root[@]}" rm -f "$policy"
}
trap cleanup EXIT
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    made_policy=yes
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
