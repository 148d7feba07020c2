#!/usr/bin/env bash
# Measures the server beside the bare libraries and the broker alone, in one run on one machine: the two sides of each
# line take turns (A B A B), the medians are shown. One table, with the goals of the design, then versions and command
# lines. Under four minutes; numbers of a busy machine say little. Status 1 when something could not be measured.
#
#   make bench                 everything
#   tests/bench/run.sh hello   one part: hello, lock, mqtt, start
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

rounds=${BENCH_ROUNDS:-3}
seconds=${BENCH_SECONDS:-3}
parts=${*:-hello lock mqtt start}
unset "${!GATEHOUSE_@}" # keys of a configuration that is not meant for this
gatehouse=${BENCH_SERVER:-build/gatehouse}
simulator=${BENCH_SIMULATOR:-build/gatehouse-sim}
many_devices=100000
many_apps=1000
fleet_size=500
# On the disk that the checkout is on: /tmp may be memory, where a commit costs nothing.
mkdir -p build/bench
work=$(mktemp -d "$PWD/build/bench/run.XXXXXX")
chmod 755 "$work" # a mosquitto that gives up root must still reach its files below
rows=$work/rows
commands=$work/commands
: >"$rows"
: >"$commands"
missing=0
pids=()

clean_up() {
    local status=$? pid
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '%4d s  %s\n' "$SECONDS" "$*" >&2; }
lacks() {
    say "NOT MEASURED: $*"
    missing=1
}
row() { (IFS='|' && printf '%s\n' "$*" >>"$rows"); } # what | bare | gatehouse | ratio | goal
note() { grep -qxF -- "$*" "$commands" || printf '%s\n' "$*" >>"$commands"; }
median() { sort -g | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]}'; }
calc() { awk "BEGIN {printf \"${2:-%.2f}\", $1}"; }
verdict() { awk "BEGIN {print ($1) ? \"met\" : \"NOT met\"}"; }
value() { sed -n "s/.*\\<$1=\\([0-9.]*\\).*/\\1/p" <<<"$2"; }
wants() { [[ " $parts " == *" $1 "* ]]; }

# await_line SECONDS FILE PATTERN PID: until the line is there; fails when the process ends first.
await_line() {
    local until=$((SECONDS + $1))
    until grep -q -- "$3" "$2"; do
        if [ "$SECONDS" -ge "$until" ] || ! kill -0 "$4" 2>/dev/null; then return 1; fi
        sleep 0.01
    done
}

# start_server FOLDER: sets server (pid), http, port (of the broker), broker (pid).
start_server() {
    local log=$1/log child
    mkdir -p "$1"
    : >"$log"
    "$gatehouse" serve --config "$work/config.json" --set data_dir="$1/data" --set http.port=0 --set mqtt.port=0 \
        2>"$log" >/dev/null &
    server=$!
    pids+=("$server")
    if ! await_line 30 "$log" '^gatehouse: ready on ' "$server"; then
        tail -n 5 "$log" >&2
        return 1
    fi
    read -r http port < <(sed -n 's|^gatehouse: ready on \(http://[^,]*\), broker mqtt://.*:\([0-9]*\)$|\1 \2|p' "$log")
    broker=
    for child in /proc/[0-9]*; do
        if awk -v parent="$server" '/^Name:/ {name = $2} /^PPid:/ {own = $2 == parent}
            END {exit !(own && name == "mosquitto")}' "$child/status" 2>/dev/null; then
            broker=${child#/proc/}
        fi
    done
}
stop() {
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
memory_mb() { awk '/^VmRSS:/ {printf "%.1f", $2 / 1024}' "/proc/$1/status"; }

# load CONNECTIONS URL [SCRIPT]: prints rate, p99 in ms, errors and time-outs, bad answers.
load() {
    local script=()
    [ -z "${3:-}" ] || script=(-s "$3")
    timeout $((seconds + 20)) wrk -t1 -c"$1" -d"${seconds}s" --timeout 5s --latency "${script[@]}" "$2" | awk '
        function ms(text) {
            if (text ~ /us$/) return text / 1000
            if (text ~ /ms$/) return text + 0
            if (text ~ /m$/) return text * 60000
            return text * 1000
        }
        /^ *99%/ {p99 = ms($2)}
        /^Requests\/sec:/ {rate = $2}
        /Socket errors:/ {gsub(",", ""); errors += $4 + $6 + $8 + $10}
        /Non-2xx/ {errors += $NF}
        /^bad answers:/ {bad = $3}
        END {printf "%.0f %.2f %d %d\n", rate, p99, errors, bad}'
}

# What wrk cannot do without descriptors.
allow_files() { [ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 4096 ] || ulimit -n 4096 2>/dev/null; }

bench_hello() {
    local connections round side url goal limit bare_pid
    declare -A rate p99 fault
    build/bench/bare >"$work/bare" &
    bare_pid=$!
    pids+=("$bare_pid")
    await_line 5 "$work/bare" '^ready' "$bare_pid" || return 1
    note "build/bench/bare"
    for connections in 64 1000; do
        say "GET /hello, $connections connections"
        rate=([bare]="" [ours]="")
        p99=([bare]="" [ours]="")
        fault=([bare]=0 [ours]=0)
        for ((round = 0; round < rounds; round++)); do
            for side in bare ours; do
                url=$http/hello
                [ $side = ours ] || url=http://127.0.0.1:$(sed 's/ready //' "$work/bare")/hello
                read -r r p e _ < <(load "$connections" "$url")
                rate[$side]+="$r"$'\n'
                p99[$side]+="$p"$'\n'
                fault[$side]=$((fault[$side] + e))
            done
        done
        note "wrk -t1 -c$connections -d${seconds}s --timeout 5s --latency URL/hello"
        for side in bare ours; do
            rate[$side]=$(printf '%s' "${rate[$side]}" | median)
            p99[$side]=$(printf '%s' "${p99[$side]}" | median)
        done
        limit=0.90
        [ "$connections" = 64 ] || limit=0.85
        row "GET /hello, $connections connections, requests/s" "${rate[bare]}" "${rate[ours]}" \
            "$(calc "${rate[ours]} / ${rate[bare]}")" \
            ">= $limit of bare: $(verdict "${rate[ours]} >= $limit * ${rate[bare]}")"
        if [ "$connections" = 64 ]; then
            goal="<= bare / 0.90: $(verdict "${p99[ours]} <= ${p99[bare]} / 0.9 + 0.005")"
        else
            goal="< 15 ms, no time-outs: $(verdict "${p99[ours]} < 15 && ${fault[ours]} == 0")"
        fi
        row "  p99, ms (errors ${fault[bare]} and ${fault[ours]})" "${p99[bare]}" "${p99[ours]}" \
            "$(calc "${p99[ours]} / (${p99[bare]} + 0.0001)")" "$goal"
    done
    stop "$bare_pid"
}

bench_lock() {
    local round fleet rates='' p99s='' bad=0 r p e b
    say "POST /lock, $fleet_size boards"
    "$simulator" fleet "$fleet_size" --broker "127.0.0.1:$port" --device fleet --device-topic fleet-topic \
        --app fleet-app --app-topic fleet-app-topic --seconds 120 >"$work/fleet" 2>&1 &
    fleet=$!
    pids+=("$fleet")
    note "build/gatehouse-sim fleet $fleet_size ..."
    if ! await_line 30 "$work/fleet" "hand-shaken $fleet_size" "$fleet"; then
        tail -n 2 "$work/fleet" >&2
        return 1
    fi
    export BENCH_TOKEN=$token BENCH_DOORS=$fleet_size
    for ((round = 0; round < rounds; round++)); do
        read -r r p e b < <(load 64 "$http" tests/bench/lock.lua)
        rates+="$r"$'\n'
        p99s+="$p"$'\n'
        bad=$((bad + e + b))
    done
    note "wrk -t1 -c64 -d${seconds}s --timeout 5s --latency -s tests/bench/lock.lua URL"
    stop "$fleet"
    row "POST /lock, 64 connections, token, requests/s" - "$(printf '%s' "$rates" | median)" - \
        ">= 20 x Flask with paho: no peer in this run"
    row "  p99, ms (answers that were not 0: $bad)" - "$(printf '%s' "$p99s" | median)" - -
}

bench_mqtt() {
    local round mode line sync plain=() limit
    declare -A p50 p99 server_cpu broker_cpu
    [ -n "$broker" ] || lacks "CPU of the broker: its process was not found"
    for mode in floor lock rest busy_floor busy_lock; do
        p50[$mode]="" p99[$mode]="" server_cpu[$mode]="" broker_cpu[$mode]=""
    done
    say "orders over MQTT and HTTP, 200/s and 1000/s"
    for ((round = 0; round < rounds; round++)); do
        for mode in floor lock rest busy_floor busy_lock; do
            case $mode in
            floor | lock) plain=("$mode" --rate 200 --count $((200 * seconds)) --doors 50) ;;
            # An unlock of the same door within 3 s would join the last one: each door is asked once a round.
            rest) plain=(rest --rate 200 --count $((200 * seconds)) --doors $((200 * seconds)) --http "$http") ;;
            busy_*) plain=("${mode#busy_}" --rate 1000 --count $((1000 * seconds)) --doors 200) ;;
            esac
            line=$(timeout 40 build/bench/mqtt_bench "${plain[@]}" --port "$port" --token "$token" \
                --server-pid "$server" --broker-pid "${broker:-0}" --seconds 30) ||
                lacks "mqtt_bench ${plain[*]}: $line"
            note "build/bench/mqtt_bench ${plain[*]/$http/URL}"
            p50[$mode]+="$(value p50_us "$line")"$'\n'
            p99[$mode]+="$(value p99_us "$line")"$'\n'
            server_cpu[$mode]+="$(value server_cpu_us "$line")"$'\n'
            broker_cpu[$mode]+="$(value broker_cpu_us "$line")"$'\n'
        done
    done
    sync=$(build/bench/mqtt_bench sync --folder "$work")
    note "build/bench/mqtt_bench sync --folder DIR"
    for mode in "${!p50[@]}"; do
        p50[$mode]=$(printf '%s' "${p50[$mode]}" | median)
        p99[$mode]=$(printf '%s' "${p99[$mode]}" | median)
        server_cpu[$mode]=$(printf '%s' "${server_cpu[$mode]}" | median)
        broker_cpu[$mode]=$(printf '%s' "${broker_cpu[$mode]}" | median)
    done
    sync=$(value p99_us "$sync")
    limit=$((3 * p99[floor] + sync))
    row "write and fsync of a page here, us, p99" "$sync" - - -
    row "lock by MQTT until the door has it, 200/s, us, p50" "${p50[floor]}" "${p50[lock]}" \
        "$(calc "${p50[lock]} / ${p50[floor]}")" "(bare: the broker alone, QoS 1)"
    row "  p99" "${p99[floor]}" "${p99[lock]}" "$(calc "${p99[lock]} / ${p99[floor]}")" -
    row "unlock by REST until the door has it, 200/s, us, p50" "${p50[floor]}" "${p50[rest]}" \
        "$(calc "${p50[rest]} / ${p50[floor]}")" -
    row "  p99" "${p99[floor]}" "${p99[rest]}" "$(calc "${p99[rest]} / ${p99[floor]}")" \
        "<= 3 x broker + fsync = $limit: $(verdict "${p99[rest]} <= $limit")"
    row "server CPU a command, 1000/s, us" "${server_cpu[busy_floor]}" "${server_cpu[busy_lock]}" - \
        "<= 0.35 of paho: no peer in this run"
    row "broker CPU a command, 1000/s, us" "${broker_cpu[busy_floor]}" "${broker_cpu[busy_lock]}" \
        "$(calc "${broker_cpu[busy_lock]} / (${broker_cpu[busy_floor]} + 0.0001)")" -
}

many_json() {
    awk -v devices=$many_devices -v apps=$many_apps 'BEGIN {
        at = "2026-01-01T00:00:00.000Z"
        printf "{\"format\":\"gatehouse-state\",\"version\":1,\"exported_at\":\"%s\",\"devices\":[", at
        for (i = 1; i <= devices; i++)
            printf "%s{\"id\":\"many-%06d\",\"topic\":\"tomany-%06d\",\"spoke\":true,\"lock\":\"locked\"," \
                "\"presence\":\"unknown\",\"created_at\":\"%s\",\"changed_at\":\"%s\",\"seen_at\":\"%s\"}\n",
                i == 1 ? "" : ",", i, i, at, at, at
        printf "],\"apps\":["
        for (i = 1; i <= apps; i++)
            printf "%s{\"id\":\"many-app-%04d\",\"topic\":\"tomany-app-%04d\",\"spoke\":true,\"created_at\":\"%s\"," \
                "\"seen_at\":\"%s\"}\n", i == 1 ? "" : ",", i, i, at, at
        printf "]}\n"
    }'
}

# Milliseconds from the start of the process to its ready line.
start_ms() {
    local log=$work/ready pid began line=
    rm -f "$log"
    mkfifo "$log"
    began=${EPOCHREALTIME/./}
    "$gatehouse" serve --config "$work/config.json" --set data_dir="$1" --set http.port=0 --set mqtt.port=0 \
        2>"$log" >/dev/null &
    pid=$!
    pids+=("$pid")
    exec 9<"$log"
    while IFS= read -r -t 30 -u 9 line; do
        [[ $line != "gatehouse: ready on "* ]] || break
    done
    [[ $line == "gatehouse: ready on "* ]] || return 1
    took=$(((${EPOCHREALTIME/./} - began + 500) / 1000))
    cat <&9 >/dev/null &
    exec 9<&-
    rss=$(memory_mb "$pid")
    stop "$pid"
}

bench_start() {
    local kind began import_ms idle_goal many_goal
    declare -A took_ms rss_mb
    say "import of $many_devices devices and $many_apps apps"
    many_json >"$work/many.json"
    began=${EPOCHREALTIME/./}
    note "build/gatehouse import many.json --set data_dir=DIR"
    if ! timeout 60 "$gatehouse" import "$work/many.json" --config "$work/config.json" --set data_dir="$work/many" \
        >"$work/import" 2>&1; then
        tail -n 3 "$work/import" >&2
        return 1
    fi
    import_ms=$(((${EPOCHREALTIME/./} - began) / 1000))
    note "build/gatehouse serve --set data_dir=DIR --set http.port=0 --set mqtt.port=0"
    say "start to ready"
    took_ms=([few]="" [many]="")
    rss_mb=([few]="" [many]="")
    for _ in 1 2 3 4 5; do
        for kind in few many; do
            start_ms "$work/$kind" || return 1
            took_ms[$kind]+="$took"$'\n'
            rss_mb[$kind]+="$rss"$'\n'
        done
    done
    for kind in few many; do
        took_ms[$kind]=$(printf '%s' "${took_ms[$kind]}" | median)
        rss_mb[$kind]=$(printf '%s' "${rss_mb[$kind]}" | median)
    done
    idle_goal="<= 12: $(verdict "${rss_mb[few]} <= 12")"
    many_goal="<= 100: $(verdict "${rss_mb[many]} <= 100")"
    row "start to ready with an empty store, ms" - "${took_ms[few]}" - "-"
    row "  with $many_devices devices and $many_apps apps" - "${took_ms[many]}" \
        "$(calc "${took_ms[many]} / ${took_ms[few]}")" "<= 300: $(verdict "${took_ms[many]} <= 300")"
    row "import of them, ms" - "$import_ms" - -
    row "resident memory, idle, MB" - "${rss_mb[few]}" - "$idle_goal"
    row "  with $many_devices devices" - "${rss_mb[many]}" - "$many_goal"
}

for program in "$gatehouse" "$simulator" build/bench/bare build/bench/mqtt_bench; do
    [ -x "$program" ] || {
        echo "bench: $program is missing: make bench builds it" >&2
        exit 1
    }
done
echo '{}' >"$work/config.json"
if wants hello || wants lock || wants mqtt; then
    start_server "$work/main" || exit 1
    token=$("$gatehouse" token create --name bench --role admin --config "$work/config.json" \
        --set data_dir="$work/main/data" 2>/dev/null | tail -n 1)
    [ -n "$token" ] || exit 1
    allow_files
    if command -v wrk >/dev/null; then
        ! wants hello || bench_hello || lacks "GET /hello"
        ! wants lock || bench_lock || lacks "POST /lock"
    elif wants hello || wants lock; then
        lacks "everything over HTTP: wrk is missing (apt-get install wrk)"
    fi
    ! wants mqtt || bench_mqtt || lacks "MQTT"
    stop "$server"
fi
! wants start || bench_start || lacks "start and memory"

echo
awk -F'|' 'BEGIN {format = "%-58s %10s %10s %7s  %s\n"; printf format, "", "bare", "gatehouse", "ratio", "goal"}
    {printf format, $1, $2, $3, $4, $5}' "$rows"
echo
echo "gatehouse $("$gatehouse" --version | sed 's/gatehouse //') ($(git describe --always --dirty 2>/dev/null)), $(nproc) x$(
    sed -n 's/^model name[^:]*://p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
for library in libmicrohttpd libmosquitto libuv sqlite3 libcjson; do
    printf '%s %s, ' "$library" "$(pkg-config --modversion "$library" 2>/dev/null || echo '?')"
done
PATH=$PATH:/usr/sbin mosquitto -h 2>/dev/null | sed -n '1s/ version//p;1q'
command -v wrk >/dev/null && wrk -v 2>&1 | sed -n '1s/ \[.*//p'
echo "medians of $rounds rounds; load average $(cut -d' ' -f1-3 /proc/loadavg); $SECONDS s. Commands:"
sed 's/^/  /' "$commands"
exit "$missing"
