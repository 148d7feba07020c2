#!/usr/bin/env bash
# The whole story in a terminal: a board hand-shakes, a phone unlocks the door, a stranger's picture arrives, the
# operator fetches it, and all of it is still there after kill -9. Free ports and a temporary folder; nothing stays.
# Each step is checked: the exit status is 0 only when all of it happened. DEMO_PAUSE sets the seconds between steps.
set -euo pipefail
cd "$(dirname "$0")/.."

unset "${!GATEHOUSE_@}" # keys of a configuration that is not meant for this
gatehouse=${DEMO_SERVER:-build/gatehouse}
simulator=${DEMO_SIMULATOR:-build/gatehouse-sim}
pause=${DEMO_PAUSE:-0}
if [ -t 1 ]; then pause=${DEMO_PAUSE:-3}; fi # at a reader's pace
began=$SECONDS
work=$(mktemp -d "${TMPDIR:-/tmp}/gatehouse-demo.XXXXXX")
chmod 755 "$work" # a mosquitto that gives up root must still reach its files below
pids=()
server=

clean_up() {
    local status=$? pid
    trap - EXIT INT TERM
    for pid in "${pids[@]}" $server; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${pids[@]}" $server; do
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() {
    sleep "$pause"
    printf '\n== %s\n' "$*"
}

fail() {
    printf '\n!! %s\n' "$*" >&2
    tail -n 20 "$work"/*.log >&2 || true
    exit 1
}

# Prints what a player said since the last time, with its name before each line.
declare -A shown=()
show() {
    local name=$1 log=$work/$1.log from=$((${shown[$1]:-0} + 1))
    shown[$name]=$(wc -l <"$log")
    sed -n "${from},${shown[$name]}s/^/   $name | /p" "$log"
}

# await SECONDS LOG COUNT PATTERN: until COUNT lines match.
await() {
    local until=$((SECONDS + $1))
    until [ "$(grep -c -- "$4" "$work/$2.log" || true)" -ge "$3" ]; do # grep counts 0 with status 1
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

# start_server HTTP_PORT MQTT_PORT: port 0 is a free one. Sets http and broker.
start_server() {
    : >"$work/server.log"
    "$gatehouse" serve --config "$work/config.json" --set data_dir="$work/data" --set http.port="$1" \
        --set mqtt.port="$2" 2>"$work/server.log" >"$work/server.out" &
    server=$!
    await 15 server 1 '^gatehouse: ready on ' || fail "the server did not get ready"
    read -r http broker < <(sed -n 's|^gatehouse: ready on \(http://[^,]*\), broker mqtt://\(.*\)$|\1 \2|p' \
        "$work/server.log")
}

# The door as the server knows it: its state and since when.
door() {
    curl -fsS -H "Authorization: Bearer $token" "$http/api/v1/devices" |
        sed -n 's/.*{"id":"front-door"[^}]*\("lock":"[a-z]*"\)[^}]*\("changed_at":"[^"]*"\).*/\1 \2/p'
}

await_door() {
    local until=$((SECONDS + 5))
    until [[ "$(door)" == *"\"lock\":\"$1\""* ]]; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

for program in "$gatehouse" "$simulator"; do
    [ -x "$program" ] || fail "$program is missing: run make first"
done
command -v curl >/dev/null || fail "curl is missing: make deps installs it"
echo '{}' >"$work/config.json"
touch "$work"/{lock,phone,camera}.log

say "The server starts, with a mosquitto of its own, on free ports"
start_server 0 0
echo "   ready on $http, broker $broker"
token=$("$gatehouse" token create --name demo --role admin --config "$work/config.json" \
    --set data_dir="$work/data" 2>"$work/token.log" | tail -n 1) || fail "no token could be made"
[ -n "$token" ] || fail "no token could be made"
[ "$(curl -sS -o "$work/hello" -w '%{http_code}' "$http/hello")" = 200 ] || fail "GET /hello did not answer"
[ "$(curl -sS -o /dev/null -w '%{http_code}' "$http/get_pic")" = 401 ] || fail "/get_pic is open to strangers"
echo "   GET /hello says \"$(cat "$work/hello")\"; without a token, everything else says 401"
players=(--broker "$broker" --app phone --app-topic tophone)

say "A board hand-shakes over MQTT"
"$simulator" lock "${players[@]}" --device front-door >>"$work/lock.log" 2>&1 &
pids+=($!)
await 10 lock 1 'hand-shake accepted' || fail "the board's hand-shake was not accepted"
show lock

say "A phone hand-shakes and unlocks the door: one press, sent by MQTT and by HTTP"
"$simulator" app "${players[@]}" --http "$http" --token "$token" --device front-door --seconds 15 \
    >"$work/phone.log" 2>&1 || fail "the phone's press did not work"
show phone
show lock
[ "$(grep -c 'command unlock' "$work/lock.log")" = 1 ] || fail "the door did not get the command exactly once"
await_door unlocked || fail "the server does not know what the lock said"
echo "   the door got it once, and the server knows from the lock: $(door)"

say "The operator locks it again, with curl"
echo "   curl -X POST -H 'Authorization: Bearer ...' '$http/lock?device=front-door'"
answer=$(curl -fsS -X POST -H "Authorization: Bearer $token" "$http/lock?device=front-door")
[ "$answer" = 0 ] || fail "/lock answered $answer"
await 5 lock 1 'command lock' || fail "the door did not get the command"
await_door locked || fail "the server does not know what the lock said"
echo "   answer: $answer"
show lock

say "A stranger stands at the door: the camera tells, and posts its picture"
"$simulator" app "${players[@]}" --device front-door --count 0 --alerts 1 --save "$work/phone.jpg" --seconds 20 \
    >>"$work/phone.log" 2>&1 &
phone=$!
pids+=("$phone")
await 10 phone 2 'hand-shake accepted' || fail "the phone's hand-shake was not accepted"
"$simulator" camera "${players[@]}" --http "$http" --token "$token" --device front-door --named --seconds 15 \
    >"$work/camera.log" 2>&1 || fail "the picture was not taken"
show camera
wait "$phone" || fail "the phone did not get the alert with its picture"
show phone

say "The operator fetches the same picture"
echo "   curl -H 'Authorization: Bearer ...' $http/get_pic"
curl -fsS -H "Authorization: Bearer $token" -o "$work/operator.jpg" "$http/get_pic"
cmp -s "$work/operator.jpg" "$work/phone.jpg" || fail "the operator's picture is not the phone's"
echo "   $(wc -c <"$work/operator.jpg") bytes, the same that the phone's link gave"

say "kill -9, and start again"
before=$(door)
{ kill -9 "$server" && wait "$server"; } 2>/dev/null || true # bash would say "Killed"
start_server "${http##*:}" "${broker##*:}"
[ "$(door)" = "$before" ] || fail "the door's state is not what it was: $(door), before $before"
curl -fsS -H "Authorization: Bearer $token" -o "$work/after.jpg" "$http/get_pic"
cmp -s "$work/after.jpg" "$work/operator.jpg" || fail "the picture is not what it was"
echo "   the door's state, the token and the picture are there: $before"
await 15 lock 2 'hand-shake accepted' || fail "the board did not come back"
answer=$(curl -fsS -X POST -H "Authorization: Bearer $token" "$http/unlock?device=front-door")
[ "$answer" = 0 ] || fail "/unlock answered $answer"
await 5 lock 2 'command unlock' || fail "the door did not get the command"
await_door unlocked || fail "the server does not know what the lock said"
show lock

say "The server stops on SIGTERM"
kill -TERM "$server"
wait "$server" || fail "the server did not stop cleanly"
server=
printf '\nThat was the whole story, in %d s. Nothing of it is left.\n' $((SECONDS - began))
