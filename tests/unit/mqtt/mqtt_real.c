/* SPDX-License-Identifier: MIT */
#include "tests/unit/mqtt/mqtt_real.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mqtt_protocol.h>

#include "tests/unit/mqtt/mqtt_cmocka.h"

static bool accepts(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = mqf_loopback(port);
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
    if (peer->mosq == NULL)
        return;
    mosquitto_disconnect(peer->mosq);
    mosquitto_destroy(peer->mosq);
    mosquitto_lib_cleanup();
    peer->mosq = NULL;
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
