/* SPDX-License-Identifier: MIT */
#include "tests/unit/mqtt/mqtt_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mqtt_protocol.h>

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
    f->may_read = f->may_write = f->awake = true;
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

/* A real broker */

static int listen_on(int port, int *found)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
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
    close(listen_on(0, &port));
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

const char *mqf_dir(void)
{
    if (dir[0] == '\0') {
        snprintf(dir, sizeof dir, "/tmp/gatehouse-test-XXXXXX");
        assert_non_null(mkdtemp(dir));
        atexit(remove_dir);
    }
    return dir;
}

static bool accepts(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return ok;
}

int mqf_broker_spawn(int port, const char *more_config)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%d.conf", mqf_dir(), port);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "user root\npersistence false\nallow_anonymous true\nlog_dest none\nset_tcp_nodelay "
            "true\nmax_queued_messages 20000\nlistener %d 127.0.0.1\n%s\n",
            port, more_config != NULL ? more_config : "");
    fclose(file);
    int pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    for (int i = 0; i < 1000 && !accepts(port); i++) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
        poll(NULL, 0, 5);
    }
    return pid;
}

void mqf_broker_kill(int pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* The broker of one socket */

void mqf_fake_open(struct fake *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->fd = -1;
    fake->listener = listen_on(0, &fake->port);
}

void mqf_fake_hang_up(struct fake *fake)
{
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
    fake->len = 0;
}

void mqf_fake_close(struct fake *fake)
{
    mqf_fake_hang_up(fake);
    close(fake->listener);
}

static bool try_accept(void *arg)
{
    struct fake *fake = arg;
    fake->fd = accept4(fake->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fake->fd >= 0;
}

void mqf_fake_accept(struct fixture *f, struct fake *fake)
{
    mqf_fake_hang_up(fake);
    assert_true(mqf_until(f, try_accept, fake, 10000));
}

static bool ended;

static bool try_take(void *arg)
{
    struct fake *fake = arg;
    ssize_t got = recv(fake->fd, fake->in + fake->len, sizeof fake->in - fake->len, 0);
    if (got > 0)
        fake->len += (size_t)got;
    ended = got == 0 || (got < 0 && errno != EAGAIN);
    size_t length = 0, at = 1;
    for (int shift = 0; at < fake->len; shift += 7) {
        length |= (size_t)(fake->in[at] & 127) << shift;
        if ((fake->in[at++] & 128) == 0) {
            if (fake->len < at + length)
                break;
            memcpy(fake->packet, fake->in, at + length);
            fake->packet_len = at + length;
            fake->body = at;
            fake->len -= at + length;
            memmove(fake->in, fake->in + at + length, fake->len);
            ended = false;
            return true;
        }
    }
    return ended;
}

int mqf_fake_take(struct fixture *f, struct fake *fake, int ms)
{
    if (!mqf_until(f, try_take, fake, ms))
        return -1;
    return ended ? 0 : fake->packet[0] >> 4;
}

int mqf_fake_peek_bytes(struct fake *fake)
{
    char bytes[4096];
    ssize_t got = recv(fake->fd, bytes, sizeof bytes, MSG_PEEK);
    return (int)fake->len + (got > 0 ? (int)got : 0);
}

void mqf_fake_send(struct fake *fake, const void *bytes, size_t len)
{
    assert_int_equal(send(fake->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void mqf_fake_publish(struct fake *fake, const char *topic, const char *text, int qos, int mid)
{
    uint8_t packet[512];
    size_t topic_len = strlen(topic), text_len = strlen(text), at = 0;
    size_t rest = 2 + topic_len + (qos > 0 ? 2 : 0) + 1 + text_len;
    assert_true(rest < 128);
    packet[at++] = (uint8_t)(0x30 | qos << 1);
    packet[at++] = (uint8_t)rest;
    packet[at++] = 0;
    packet[at++] = (uint8_t)topic_len;
    memcpy(packet + at, topic, topic_len);
    at += topic_len;
    if (qos > 0) {
        packet[at++] = (uint8_t)(mid >> 8);
        packet[at++] = (uint8_t)mid;
    }
    packet[at++] = 0;
    memcpy(packet + at, text, text_len);
    mqf_fake_send(fake, packet, at + text_len);
}

void mqf_fake_answer_subscribe(struct fake *fake, int code)
{
    const uint8_t *p = fake->packet;
    size_t at = fake->body;
    uint8_t answer[1024] = {0x90, 0, p[at], p[at + 1], 0};
    size_t len = 5;
    at += 2 + 1 + p[at + 2];
    while (at < fake->packet_len) {
        at += 2 + (size_t)(p[at] << 8 | p[at + 1]) + 1;
        answer[len++] = (uint8_t)code;
    }
    assert_true(len < 129);
    answer[1] = (uint8_t)(len - 2);
    mqf_fake_send(fake, answer, len);
}

void mqf_fake_welcome(struct fixture *f, struct fake *fake, int ups)
{
    assert_int_equal(mqf_fake_take(f, fake, 5000), 1);
    mqf_fake_send(fake, "\x20\x03\x00\x00\x00", 5);
    while (f->ups < ups) {
        assert_int_equal(mqf_fake_take(f, fake, 5000), 8);
        mqf_fake_answer_subscribe(fake, 1);
        mqf_spin(f, 3);
    }
}

/* A subscriber that is not ours */

static void peer_on_message(struct mosquitto *mosq, void *obj, const struct mosquitto_message *m)
{
    struct peer *peer = obj;
    (void)mosq;
    peer->messages++;
    size_t len = strlen(peer->seen);
    snprintf(peer->seen + len, sizeof peer->seen - len, "%s=%.*s ", m->topic, m->payloadlen,
             m->payload != NULL ? (const char *)m->payload : "");
}

static void peer_on_subscribe(struct mosquitto *mosq, void *obj, int mid, int count, const int *qos)
{
    (void)mosq, (void)mid, (void)count, (void)qos;
    ((struct peer *)obj)->subscribed = true;
}

static bool peer_subscribed(void *arg)
{
    struct peer *peer = arg;
    mosquitto_loop(peer->mosq, 0, 1);
    return peer->subscribed;
}

void mqf_peer_open(struct fixture *f, struct peer *peer, int port, const char *topic, int qos)
{
    memset(peer, 0, sizeof *peer);
    mosquitto_lib_init();
    peer->mosq = mosquitto_new(NULL, true, peer);
    mosquitto_message_callback_set(peer->mosq, peer_on_message);
    mosquitto_subscribe_callback_set(peer->mosq, peer_on_subscribe);
    mosquitto_int_option(peer->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_max_inflight_messages_set(peer->mosq, 0);
    assert_int_equal(mosquitto_connect(peer->mosq, "127.0.0.1", port, 60), 0);
    for (int i = 0; i < 20; i++)
        mosquitto_loop(peer->mosq, 5, 1);
    assert_int_equal(mosquitto_subscribe(peer->mosq, NULL, topic, qos), 0);
    assert_true(mqf_until(f, peer_subscribed, peer, 5000));
}

void mqf_peer_close(struct peer *peer)
{
    mosquitto_disconnect(peer->mosq);
    mosquitto_destroy(peer->mosq);
    mosquitto_lib_cleanup();
}

static bool peer_flushed(void *arg)
{
    struct peer *peer = arg;
    mosquitto_loop(peer->mosq, 0, 1);
    return !mosquitto_want_write(peer->mosq);
}

void mqf_peer_publish(struct fixture *f, struct peer *peer, const char *topic, const char *text,
                      int qos, bool retain)
{
    assert_int_equal(
        mosquitto_publish(peer->mosq, NULL, topic, (int)strlen(text), text, qos, retain), 0);
    assert_true(mqf_until(f, peer_flushed, peer, 5000));
}

struct sighting {
    struct peer *peer;
    const char *text;
};

static bool peer_saw(void *arg)
{
    struct sighting *s = arg;
    mosquitto_loop(s->peer->mosq, 0, 1);
    return strstr(s->peer->seen, s->text) != NULL;
}

bool mqf_peer_until_seen(struct fixture *f, struct peer *peer, const char *text, int ms)
{
    struct sighting s = {peer, text};
    return mqf_until(f, peer_saw, &s, ms);
}
