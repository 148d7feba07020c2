/* SPDX-License-Identifier: MIT */
#include "tests/unit/mqtt/mqtt_fixture.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/log.h"
#include "tests/unit/mqtt/mqtt_cmocka.h"

/* The loop and the client */

static bool may_read(void *owner)
{
    return ((struct fixture *)owner)->may_read;
}

static bool may_write(void *owner)
{
    return ((struct fixture *)owner)->may_write;
}

static void input_begin(void *owner)
{
    struct fixture *f = owner;
    assert_int_equal(f->begins, f->ends);
    f->begins++;
}

static void input_end(void *owner)
{
    struct fixture *f = owner;
    f->ends++;
    assert_int_equal(f->begins, f->ends);
}

static void note(struct fixture *f, const char *word, const char *tag)
{
    size_t len = strlen(f->events);
    snprintf(f->events + len, sizeof f->events - len, "%s%s%s ", word, tag != NULL ? ":" : "",
             tag != NULL ? tag : "");
}

static void on_message(void *owner, const struct mqtt_message *message)
{
    struct fixture *f = owner;
    assert_int_equal(f->begins, f->ends + 1);
    f->messages++;
    snprintf(f->topic, sizeof f->topic, "%s", message->topic);
    snprintf(f->payload, sizeof f->payload, "%.*s", (int)message->len,
             message->payload != NULL ? (const char *)message->payload : "");
    f->retain = message->retain;
    f->late = message->late;
    if (f->drop_on_message)
        mqtt_client_drop(f->client, "dropped");
}

static void on_up(void *owner)
{
    struct fixture *f = owner;
    assert_int_equal(f->ups, f->downs);
    assert_true(mqtt_client_is_up(f->client));
    f->ups++;
    note(f, "up", NULL);
}

static void on_down(void *owner, const char *why)
{
    struct fixture *f = owner;
    assert_int_equal(f->ups, f->downs + 1);
    assert_false(mqtt_client_is_up(f->client));
    f->downs++;
    snprintf(f->why, sizeof f->why, "%s", why);
    note(f, "down", NULL);
}

static void on_taken(void *owner, const char *tag)
{
    note(owner, "taken", tag);
}

static void on_handed_over(void *owner, const char *tag)
{
    note(owner, "over", tag);
}

static void on_rejected(void *owner, const char *tag)
{
    note(owner, "rejected", tag);
}

static bool wake(void *owner)
{
    struct fixture *f = owner;
    f->wakes++;
    return f->awake;
}

static void settle(void *owner)
{
    ((struct fixture *)owner)->settles++;
}

void mqf_open(struct fixture *f, int port)
{
    memset(f, 0, sizeof *f);
    f->open = f->may_read = f->may_write = f->awake = true;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->options = (struct mqtt_options){.loop = &f->loop,
                                       .host = "127.0.0.1",
                                       .port = port,
                                       .owner = f,
                                       .may_read = may_read,
                                       .may_write = may_write,
                                       .input_begin = input_begin,
                                       .input_end = input_end,
                                       .on_message = on_message,
                                       .on_up = on_up,
                                       .on_down = on_down,
                                       .on_taken = on_taken,
                                       .on_handed_over = on_handed_over,
                                       .on_rejected = on_rejected,
                                       .wake = wake,
                                       .settle = settle};
}

void mqf_start(struct fixture *f)
{
    struct cause cause = {""};
    enum err err = mqtt_client_new(&f->options, &f->client, &cause);
    if (err != ERR_OK)
        fail_msg("%s", cause.text);
    mqtt_client_require(f->client, "toserver");
    mqtt_client_start(f->client);
}

static void on_closed(void *owner)
{
    struct fixture *f = owner;
    f->closed = true;
    f->client = NULL;
}

static bool is_closed(void *arg)
{
    return ((struct fixture *)arg)->closed;
}

void mqf_close(struct fixture *f)
{
    if (!f->open)
        return;
    f->open = false;
    if (f->client != NULL) {
        f->awake = true;
        mqtt_client_close(f->client, on_closed, f);
        assert_true(mqf_until(f, is_closed, f, 3000));
    }
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

bool mqf_until(struct fixture *f, condition_fn *condition, void *arg, int ms)
{
    int64_t end = now_ms() + ms;
    for (;;) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        if (condition(arg))
            return true;
        if (now_ms() >= end)
            return false;
        struct pollfd backend = {.fd = uv_backend_fd(&f->loop), .events = POLLIN};
        poll(&backend, 1, 1);
    }
}

static bool never(void *arg)
{
    int *rounds = arg;
    return --*rounds <= 0;
}

void mqf_spin(struct fixture *f, int rounds)
{
    mqf_until(f, never, &rounds, 60000);
}

struct wanted {
    struct fixture *f;
    const int *count;
    int least;
    const char *word;
};

static bool count_reached(void *arg)
{
    struct wanted *w = arg;
    return *w->count >= w->least;
}

bool mqf_until_count(struct fixture *f, const int *count, int least)
{
    struct wanted w = {.f = f, .count = count, .least = least};
    return mqf_until(f, count_reached, &w, 20000);
}

bool mqf_until_up(struct fixture *f, int ups)
{
    return mqf_until_count(f, &f->ups, ups);
}

static bool event_seen(void *arg)
{
    struct wanted *w = arg;
    return strstr(w->f->events, w->word) != NULL;
}

bool mqf_until_event(struct fixture *f, const char *word)
{
    struct wanted w = {.f = f, .word = word};
    return mqf_until(f, event_seen, &w, 10000);
}

/* The log */

static char logged[65536];

static void keep_log(void *arg, enum log_level level, const char *line)
{
    (void)arg, (void)level;
    size_t len = strlen(logged);
    snprintf(logged + len, sizeof logged - len, "%s\n", line);
    if (getenv("SHOW_LOG") != NULL)
        fprintf(stderr, "%s\n", line);
}

void mqf_log_keep(void)
{
    logged[0] = '\0';
    log_set_sink(keep_log, NULL);
}

bool mqf_logged(const char *text)
{
    return strstr(logged, text) != NULL;
}

static bool is_logged(void *arg)
{
    return mqf_logged(arg);
}

bool mqf_until_logged(struct fixture *f, const char *text, int ms)
{
    return mqf_until(f, is_logged, (void *)text, ms);
}

/* Ports and a folder */

struct sockaddr_in mqf_loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int mqf_listen(int port, int *found)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = mqf_loopback(port);
    socklen_t size = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *found = ntohs(address.sin_port);
    return fd;
}

int mqf_free_port(void)
{
    int port;
    close(mqf_listen(0, &port));
    return port;
}

static char dir[64];

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status, (void)flag, (void)walk;
    return remove(path);
}

static void remove_dir(void)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void mqf_dir_borrow(const char *path)
{
    snprintf(dir, sizeof dir, "%s", path);
}

const char *mqf_dir(void)
{
    if (dir[0] == '\0') {
        snprintf(dir, sizeof dir, "/tmp/gatehouse-test-XXXXXX");
        assert_non_null(mkdtemp(dir));
        atexit(remove_dir);
    }
    return dir;
}
