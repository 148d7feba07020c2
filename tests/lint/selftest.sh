#!/bin/bash
# SPDX-License-Identifier: MIT
# The test of the linter: plants one violation after another in a copy of the tree and expects it to be
# found, with file and line, by the check that is meant to find it.
set -u
cd "$(dirname "$0")/../.." || exit 2
python=${PYTHON:-/usr/bin/python3}
copy=$(mktemp -d) || exit 2
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/server/base" "$copy/state" "$copy/actions" "$copy/mqtt" "$copy/tests/unit"
status=0

# expect CHECK FILE LINE TEXT: a file with that text fails at that line; without it, the check is content.
expect() {
    local check=$1 file=$2 line=$3 text=$4 found
    if ! found=$("$python" tests/lint/source.py "$check" "$copy"); then
        echo "$check: finds something in a clean tree: $found"
        status=1
    fi
    printf '%b' "$text" >"$copy/$file"
    found=$("$python" tests/lint/source.py "$check" "$copy")
    if [ $? -ne 1 ] || ! grep -q "^$file:$line: " <<<"$found"; then
        echo "$check: did not find the violation in $file:$line; it said: ${found:-nothing}"
        status=1
    fi
    rm -f "$copy/$file"
}

# fine CHECK FILE TEXT: what only looks like a violation passes.
fine() {
    local found
    printf '%b' "$3" >"$copy/$2"
    if ! found=$("$python" tests/lint/source.py "$1" "$copy"); then
        echo "$1: takes this for a violation: $found"
        status=1
    fi
    rm -f "$copy/$2"
}

head='/* SPDX-License-Identifier: MIT\n */\n'
lines() { for ((i = 0; i < $1; i++)); do printf '    x = %d;\\n' "$i"; done; }

expect arrow state/planted.c 3 "$head"'#include "actions/action.h"\n'
expect arrow state/planted.c 3 "$head"'#include "server/config.h"\n'
expect arrow server/base/planted.h 3 "$head"'#include "state/store.h"\n'
expect arrow actions/planted.c 3 "$head"'#include "mqtt/mqtt_client.h"\n'
expect arrow mqtt/planted.c 3 "$head"'#include "server/server.h"\n'
expect arrow mqtt/planted.c 3 "$head"'#include "state/store.h"\n'
expect arrow server/planted.c 3 "$head"'#include "state/store_priv.h"\n'
expect arrow server/planted.c 3 "$head"'#include "config.h"\n'
expect arrow actions/planted.c 3 "$head"'#include <sqlite3.h>\n'
expect arrow actions/planted.c 3 "$head"'#  include <uv.h>\n'
expect arrow server/planted.c 3 "$head"'#include <mosquitto.h>\n'
expect arrow server/router.c 3 "$head"'#include <microhttpd.h>\n'
expect arrow server/base/planted.c 3 "$head"'#include <cjson/cJSON.h>\n'
fine arrow state/planted.c "$head"'#include "state/store_priv.h"\n#include <sqlite3.h>\n/* #include "mqtt/x.h" */\n'
expect order state/planted.c 4 "$head"'#include <stdio.h>\n#include "state/planted.h"\n'
expect banned actions/planted.c 5 "$head"'void f(char *o)\n{\n    strcpy(o, "x");\n}\n'
expect banned actions/planted.c 4 "$head"'#define F(o)                 \\\\\n    sprintf (o, "%%d", 1)\n'
expect banned server/planted.c 3 "$head"'int n = atoi("1");\n'
fine banned actions/planted.c "$head"'/* never strcpy(a, b) */\nconst char *t = "system(1)";\nint my_gets(void);\n'
expect file-length state/planted.c 503 "$head$(lines 501)"
expect file-length tests/unit/planted.c 501 "$head$(lines 499)"
fine file-length state/planted.c "$head$(lines 498)"
expect function-length state/planted.c 4 "$head"'void f(void)\n{\n'"$(lines 70)"'}\n'
expect spdx state/planted.c 1 '#include <stdio.h>\n'
expect leftovers state/planted.c 3 "$head"'/* TO''DO: later */\n'
fine leftovers state/planted.c "$head"'char t[] = "/tmp/XXXX''XX";\n'
exit $status
