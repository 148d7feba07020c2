/* SPDX-License-Identifier: MIT
 *
 * Latency from an order to the moment the door has it, and what it costs.
 *
 *   floor  a publish to a subscriber through the broker alone, QoS 1: what no server can undercut
 *   lock   `lock ID APP TIME` on the server's topic until `lock` on that door's topic
 *   rest   `POST /unlock?device=ID` until `unlock` on that door's topic
 *   sync   write and fsync of a page in a folder: what a commit costs at least there
 *
 * All doors are played by one connection with one wildcard subscription, which answers each command
 * as a board does. Prints one line of key=value pairs. Processes named by --server-pid and
 * --broker-pid are only looked at (their CPU clock).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "tests/simulator/sim_link.h"

/* The server listens to the topics of doors it knows: the broker alone is measured with others. */
#define DOOR_TOPIC     "bench/door-"
#define FLOOR_TOPIC    "floor/door-"
#define APP_ID         "bench-app"
#define APP_TOPIC      "bench-app-topic"
#define DOORS_MAX      20000
#define COUNT_MAX      1000000
#define DRAIN_MS       3000
#define SYNC_BYTES     4096
#define SYNC_COUNT     200
#define NS_PER_S       1000000000ull
#define SHAKE_AT_ONCE  10
#define SHAKE_AGAIN_MS 2000

enum bench_mode { MODE_FLOOR, MODE_LOCK, MODE_REST };

struct bench {
    struct sim sim;
    struct sim_link out, in; /* who orders; who plays the doors */
    enum bench_mode mode;
    const char *http, *token;
    size_t doors, count;
    unsigned rate; /* per second */
    pid_t server, broker;

    size_t asked, sent, received;
    size_t accepted;
    atomic_ullong *sent_at; /* per door, ns; 0: nothing is on its way */
    bool *known;            /* per door: its hand-shake was accepted */
    unsigned *took_us;      /* per received order */
    uint64_t asked_ns, began_ns, server_began_ns, broker_began_ns, last_ns;
    double server_us, broker_us;
    uv_timer_t timer;
    bool measuring, over;
    pthread_t poster;
    atomic_size_t posted, refused;
};

/* CPU time of another process, all its threads; 0 when it can't be told. */
static uint64_t cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec time;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return 0;
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static void bench_finish(struct bench *bench)
{
    if (bench->over)
        return;
    bench->over = true;
    const double each = bench->received == 0 ? 0 : 1000.0 * (double)bench->received;
    if (each > 0) {
        bench->server_us = (double)(cpu_ns(bench->server) - bench->server_began_ns) / each;
        bench->broker_us = (double)(cpu_ns(bench->broker) - bench->broker_began_ns) / each;
    }
    sim_end(&bench->sim, END_DONE);
}

static size_t door_of(const char *topic)
{
    const size_t len = sizeof DOOR_TOPIC - 1;
    _Static_assert(sizeof DOOR_TOPIC == sizeof FLOOR_TOPIC, "both are cut off alike");
    return strlen(topic) > len ? strtoul(topic + len, NULL, 10) : DOORS_MAX;
}

static void bench_took(struct bench *bench, size_t door)
{
    const uint64_t now = uv_hrtime();
    const uint64_t at = atomic_exchange(&bench->sent_at[door], 0);
    if (at == 0 || bench->received >= bench->count)
        return;
    bench->took_us[bench->received++] = (unsigned)((now - at) / 1000);
    bench->last_ns = now;
    if (bench->received == bench->count)
        bench_finish(bench);
}

/* Sends one order to the next door; false when that door still waits for the last one. */
static bool bench_order(struct bench *bench)
{
    char topic[64], text[160];
    const size_t door = bench->sent % bench->doors;
    if (atomic_load(&bench->sent_at[door]) != 0)
        return false;
    atomic_store(&bench->sent_at[door], uv_hrtime());
    if (bench->mode == MODE_FLOOR) {
        snprintf(topic, sizeof topic, FLOOR_TOPIC "%zu", door);
        sim_link_publish(&bench->out, topic, "lock");
    } else {
        snprintf(text, sizeof text, "lock bench-%zu " APP_ID " 2026-01-01 00:00:00.000000", door);
        sim_link_publish(&bench->out, bench->sim.options->server_topic, text);
    }
    bench->sent++;
    return true;
}

/* The doors' hand-shakes, some at a time; who was not answered asks again after a pause, so that no
 * backlog is measured. */
static void bench_shake(struct bench *bench)
{
    char text[256];
    const uint64_t now = uv_hrtime();
    if (bench->asked == bench->doors && now - bench->asked_ns < SHAKE_AGAIN_MS * 1000000ull)
        return;
    if (bench->asked == bench->doors)
        bench->asked = 0;
    for (size_t i = 0; i < SHAKE_AT_ONCE && bench->asked < bench->doors; i++) {
        const size_t door = bench->asked++;
        if (bench->known[door])
            continue;
        snprintf(text, sizeof text,
                 "add_device bench-%zu " DOOR_TOPIC "%zu " APP_ID " " APP_TOPIC " 20260101000000",
                 door, door);
        sim_link_publish(&bench->in, bench->sim.options->server_topic, text);
    }
    bench->asked_ns = now;
}

/* Own thread: orders by HTTP on one kept connection, at the given rate. */
static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    char *first = arg;
    if (size * count > 0)
        *first = bytes[0];
    return size * count;
}

static void *bench_post(void *arg)
{
    struct bench *bench = arg;
    CURL *curl = curl_easy_init();
    char url[400], bearer[400], first;
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", bench->token);
    struct curl_slist *headers = curl_slist_append(NULL, bearer);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &first);
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (size_t i = 0; i < bench->count; i++) {
        const size_t door = i % bench->doors;
        snprintf(url, sizeof url, "%s/unlock?device=bench-%zu", bench->http, door);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        next.tv_nsec += (long)(NS_PER_S / bench->rate);
        next.tv_sec += next.tv_nsec / (long)NS_PER_S;
        next.tv_nsec %= (long)NS_PER_S;
        first = '?';
        atomic_store(&bench->sent_at[door], uv_hrtime());
        if (curl_easy_perform(curl) != CURLE_OK || first != '0')
            atomic_fetch_add(&bench->refused, 1);
        atomic_fetch_add(&bench->posted, 1);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return NULL;
}

static void bench_begin(struct bench *bench)
{
    bench->measuring = true;
    bench->server_began_ns = cpu_ns(bench->server);
    bench->broker_began_ns = cpu_ns(bench->broker);
    bench->began_ns = bench->last_ns = uv_hrtime();
    if (bench->mode == MODE_REST && pthread_create(&bench->poster, NULL, bench_post, bench) != 0) {
        fprintf(stderr, "mqtt_bench: no thread\n");
        bench_finish(bench);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct bench *bench = timer->data;
    if (!bench->out.up || !bench->in.up)
        return;
    if (bench->mode != MODE_FLOOR && bench->accepted < bench->doors) {
        bench_shake(bench);
        return;
    }
    if (!bench->measuring)
        bench_begin(bench);
    const uint64_t now = uv_hrtime();
    if (bench->mode == MODE_REST) {
        bench->sent = atomic_load(&bench->posted);
    } else {
        const uint64_t due = (now - bench->began_ns) * bench->rate / NS_PER_S + 1;
        while (bench->sent < bench->count && bench->sent < due && bench_order(bench))
            ;
    }
    const bool all_sent = bench->sent >= bench->count;
    if (!all_sent)
        bench->last_ns = now;
    else if (now - bench->last_ns > DRAIN_MS * 1000000ull)
        bench_finish(bench);
}

/* What comes for the doors. */
static void on_message(void *owner, const char *topic, const char *payload, size_t len,
                       bool retained)
{
    (void)retained;
    struct bench *bench = owner;
    char text[160];
    const size_t door = door_of(topic);
    if (door >= bench->doors)
        return;
    if (len > 11 && memcmp(payload, "hand_shake ", 11) == 0) {
        bench->accepted += bench->known[door] ? 0 : 1;
        bench->known[door] = true;
        return;
    }
    const bool unlock = len == 6 && memcmp(payload, "unlock", 6) == 0;
    if (!unlock && !(len == 4 && memcmp(payload, "lock", 4) == 0))
        return;
    bench_took(bench, door);
    if (bench->mode == MODE_FLOOR)
        return;
    snprintf(text, sizeof text, "%s_response 0 bench-%zu " APP_ID, unlock ? "unlock" : "lock",
             door);
    sim_link_publish(&bench->in, APP_TOPIC, text);
}

static void on_nothing(void *owner, const char *topic, const char *payload, size_t len,
                       bool retained)
{
    (void)owner;
    (void)topic;
    (void)payload;
    (void)len;
    (void)retained;
}

static void on_up(void *owner)
{
    (void)owner;
}

static void on_down(void *owner, const char *why)
{
    struct bench *bench = owner;
    fprintf(stderr, "mqtt_bench: connection lost: %s\n", why);
    bench_finish(bench);
}

static int compare(const void *a, const void *b)
{
    const unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
    return (left > right) - (left < right);
}

static int on_end(void *owner, enum sim_end why)
{
    (void)why;
    struct bench *bench = owner;
    sim_link_close(&bench->out);
    sim_link_close(&bench->in);
    uv_close((uv_handle_t *)&bench->timer, NULL);
    return bench->received == bench->count ? 0 : 1;
}

static void print_result(struct bench *bench)
{
    unsigned *took = bench->took_us;
    const size_t count = bench->received;
    const double seconds = (double)(bench->last_ns - bench->began_ns) / (double)NS_PER_S;
    qsort(took, count, sizeof *took, compare);
    printf("doors=%zu sent=%zu received=%zu refused=%zu seconds=%.2f p50_us=%u p99_us=%u max_us=%u "
           "server_cpu_us=%.1f broker_cpu_us=%.1f\n",
           bench->doors, bench->sent, count, (size_t)atomic_load(&bench->refused), seconds,
           count == 0 ? 0 : took[count / 2], count == 0 ? 0 : took[count * 99 / 100],
           count == 0 ? 0 : took[count - 1], bench->server_us, bench->broker_us);
}

/* The median of `count` times a page written and synced, in microseconds. */
static int sync_run(const char *folder, size_t count)
{
    char path[512], page[SYNC_BYTES];
    snprintf(path, sizeof path, "%s/sync-XXXXXX", folder);
    unsigned *took = calloc(count, sizeof *took);
    const int fd = mkstemp(path);
    int status = 1;
    if (fd < 0 || took == NULL)
        goto end;
    unlink(path);
    memset(page, 'x', sizeof page);
    for (size_t i = 0; i < count; i++) {
        const uint64_t began = uv_hrtime();
        if (write(fd, page, sizeof page) != (ssize_t)sizeof page || fsync(fd) != 0)
            goto end;
        took[i] = (unsigned)((uv_hrtime() - began) / 1000);
    }
    qsort(took, count, sizeof *took, compare);
    printf("p50_us=%u p99_us=%u\n", took[count / 2], took[count * 99 / 100]);
    status = 0;
end:
    if (status != 0)
        fprintf(stderr, "mqtt_bench: %s: %s\n", folder, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(took);
    return status;
}

static void link_set(struct bench *bench, struct sim_link *link, const char *name)
{
    link->sim = &bench->sim;
    link->owner = bench;
    link->on_up = on_up;
    link->on_down = on_down;
    link->on_message = on_nothing;
    snprintf(link->client_id, sizeof link->client_id, "bench-%s-%d", name, (int)getpid());
}

static int bench_run(struct bench *bench, const struct sim_options *options)
{
    bench->sent_at = calloc(bench->doors, sizeof *bench->sent_at);
    bench->known = calloc(bench->doors, sizeof *bench->known);
    bench->took_us = calloc(bench->count, sizeof *bench->took_us);
    if (bench->sent_at == NULL || bench->known == NULL || bench->took_us == NULL) {
        fprintf(stderr, "mqtt_bench: out of memory\n");
        return 1;
    }
    sim_init(&bench->sim, options, on_end, bench);
    uv_timer_init(&bench->sim.loop, &bench->timer);
    bench->timer.data = bench;
    uv_timer_start(&bench->timer, on_timer, 1, 1);
    link_set(bench, &bench->out, "out");
    link_set(bench, &bench->in, "in");
    bench->in.topic = bench->mode == MODE_FLOOR ? "floor/+" : "bench/+";
    bench->in.on_message = on_message;
    sim_link_open(&bench->in);
    sim_link_open(&bench->out);
    const int status = sim_run(&bench->sim);
    if (bench->mode == MODE_REST && bench->measuring)
        pthread_join(bench->poster, NULL);
    print_result(bench);
    free(bench->sent_at);
    free(bench->known);
    free(bench->took_us);
    return status;
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: mqtt_bench floor|lock|rest --port N [--rate PER_SECOND] [--count N] [--doors N]\n"
        "                  [--seconds N] [--http URL] [--token T] [--server-pid N] [--broker-pid "
        "N]\n"
        "       mqtt_bench sync --folder DIR\n");
    return 2;
}

static const char *const modes[] = {"floor", "lock", "rest"};

/* False: wrong usage. */
static bool options_parse(int argc, char **argv, struct bench *bench, struct sim_options *options,
                          const char **folder)
{
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"doors", required_argument, NULL, 'd'},
                                          {"http", required_argument, NULL, 'h'},
                                          {"token", required_argument, NULL, 't'},
                                          {"server-pid", required_argument, NULL, 's'},
                                          {"broker-pid", required_argument, NULL, 'b'},
                                          {"folder", required_argument, NULL, 'f'},
                                          {"seconds", required_argument, NULL, 'e'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        const unsigned long number = optarg == NULL ? 0 : strtoul(optarg, NULL, 10);
        if (option == 'p')
            options->broker_port = (int)number;
        else if (option == 'r')
            bench->rate = (unsigned)number;
        else if (option == 'c')
            bench->count = number;
        else if (option == 'd')
            bench->doors = number;
        else if (option == 'h')
            bench->http = optarg;
        else if (option == 't')
            bench->token = optarg;
        else if (option == 's')
            bench->server = (pid_t)number;
        else if (option == 'b')
            bench->broker = (pid_t)number;
        else if (option == 'f')
            *folder = optarg;
        else if (option == 'e')
            options->seconds = (int64_t)number;
        else
            return false;
    }
    return optind == argc - 1;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.doors = 50, .count = 600, .rate = 200, .http = "", .token = ""};
    static struct sim_options options = {
        .broker_host = "127.0.0.1", .server_topic = "toserver", .quiet = true, .seconds = 30};
    const char *folder = ".";
    size_t mode = 0;
    if (!options_parse(argc, argv, &bench, &options, &folder))
        return usage();
    if (strcmp(argv[optind], "sync") == 0)
        return sync_run(folder, SYNC_COUNT);
    while (mode < 3 && strcmp(argv[optind], modes[mode]) != 0)
        mode++;
    const bool fits = bench.rate > 0 && bench.doors > 0 && bench.doors <= DOORS_MAX &&
                      bench.count > 0 && bench.count <= COUNT_MAX && options.broker_port > 0;
    if (mode == 3 || !fits)
        return usage();
    bench.mode = (enum bench_mode)mode;
    return bench_run(&bench, &options);
}
