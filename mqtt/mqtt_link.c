/* SPDX-License-Identifier: MIT
 *
 * One connection: a library object of its own, its socket on the loop, reading in bursts and
 * writing when the turn allows it, its end. It is told what to do by the library's callbacks and by
 * mqtt_client.c, and refuses to know what a message means.
 *
 * mosquitto_threaded_set() without a thread makes the library queue all it has to send until
 * mosquitto_loop_write() (PITFALLS 13): that call is the only way anything leaves.
 */
#include "mqtt/mqtt_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mqtt_protocol.h>
#include <openssl/x509_vfy.h>

#include "server/base/log.h"
#include "server/base/names.h"

static void release(struct mqtt_link *link);

/* The library's callbacks. They only note the end of a link: the library is on the stack. */

static void on_connect(struct mosquitto *mosq, void *obj, int reason, int flags,
                       const mosquitto_property *properties)
{
    struct mqtt_link *link = obj;
    (void)mosq, (void)flags, (void)properties;
    if (link->dead)
        return;
    if (reason != 0) {
        mqtt_link_end(link, false, "the broker refuses us: %s", mosquitto_reason_string(reason));
        return;
    }
    link->accepted = true;
    uv_timer_stop(&link->client->deadline);
    mqtt_link_log(link, false);
    mqtt_subs_send(link);
}

static void on_disconnect(struct mosquitto *mosq, void *obj, int reason,
                          const mosquitto_property *properties)
{
    struct mqtt_link *link = obj;
    (void)mosq, (void)properties;
    /* The socket is closed already and its number may be somebody else's soon (PITFALLS 17). */
    if (link->polled)
        uv_poll_stop(&link->poll);
    link->fd = -1;
    if (reason >= 0x80)
        mqtt_link_end(link, false, "the broker ended it: %s", mosquitto_reason_string(reason));
    else if (reason == MOSQ_ERR_ERRNO)
        mqtt_link_end(link, false, "%s", strerror(errno));
    else
        mqtt_link_end(link, false, "%s",
                      reason == 0 ? "the broker ended it" : mosquitto_strerror(reason));
}

static void on_message(struct mosquitto *mosq, void *obj, const struct mosquitto_message *m)
{
    struct mqtt_link *link = obj;
    (void)mosq;
    if (link->dead || link->client->closing)
        return;
    mqtt_input(link->client);
    const struct mqtt_message message = {.topic = m->topic,
                                         .payload = m->payload,
                                         .len = (size_t)m->payloadlen,
                                         .qos = m->qos,
                                         .retain = m->retain,
                                         .late = link->late};
    link->client->o.on_message(link->client->o.owner, &message);
}

static void on_publish(struct mosquitto *mosq, void *obj, int mid, int reason,
                       const mosquitto_property *properties)
{
    struct mqtt_link *link = obj;
    (void)mosq, (void)properties;
    link->in_flight--;
    if (!link->dead && !link->client->closing)
        mqtt_tags_published(link, mid, reason);
}

static void on_subscribe(struct mosquitto *mosq, void *obj, int mid, int count, const int *codes,
                         const mosquitto_property *properties)
{
    struct mqtt_link *link = obj;
    (void)mosq, (void)properties;
    if (!link->dead && !link->client->closing)
        mqtt_subs_acked(link, mid, count, codes);
}

static void on_log(struct mosquitto *mosq, void *obj, int level, const char *line)
{
    struct mqtt_link *link = obj;
    (void)mosq;
    /* The library holds its log mutex: nothing of it may be called from here. */
    if (level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING)
        text_copy(link->library_said, sizeof link->library_said, line, strlen(line));
    else
        mqtt_tags_log_line(link, line);
}

void mqtt_link_log(struct mqtt_link *link, bool on)
{
    /* Each line costs an allocation and a printf in the library: only on while it is needed. */
    if (link->log_on != on)
        mosquitto_log_callback_set(link->mosq, on ? on_log : NULL);
    link->log_on = on;
}

/* The end */

static void on_poll_closed(uv_handle_t *handle)
{
    struct mqtt_link *link = handle->data;
    struct mqtt_client *client = link->client;
    free(link);
    mqtt_handle_closed(client);
}

static void reset_socket(struct mqtt_link *link)
{
    int fd = mosquitto_socket(link->mosq);
    if (fd < 0)
        return;
    /* What lies in the kernel's buffer must not arrive after all, and OpenSSL must not flush a
     * half-written record on its way out. */
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    SSL *ssl = mosquitto_ssl_get(link->mosq);
    if (ssl != NULL)
        SSL_set_quiet_shutdown(ssl, 1);
}

static void bury(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    client->link = NULL;
    if (link->polled)
        uv_close((uv_handle_t *)&link->poll, on_poll_closed);
    if (link->hard)
        reset_socket(link);
    mosquitto_destroy(link->mosq);
    link->mosq = NULL;
    mqtt_link_is_gone(client, link);
    if (!link->polled)
        free(link);
}

static void release(struct mqtt_link *link)
{
    if (link->dead && link->client->depth == 0 && link->client->link == link)
        bury(link);
}

void mqtt_link_end(struct mqtt_link *link, bool hard, const char *format, ...)
{
    if (!link->dead) {
        va_list args;
        va_start(args, format);
        vsnprintf(link->why, sizeof link->why, format, args);
        va_end(args);
        link->dead = true;
        link->hard = hard;
    }
    release(link);
}

static const char *failure(struct mqtt_link *link, int rc)
{
    int refused = link->client->tls_refused;
    if (rc == MOSQ_ERR_TLS && refused != X509_V_OK) {
        snprintf(link->library_said, sizeof link->library_said,
                 "the broker's certificate is refused: %s", X509_verify_cert_error_string(refused));
        return link->library_said;
    }
    if (rc == MOSQ_ERR_TLS && link->library_said[0] != '\0')
        return link->library_said;
    return rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc);
}

/* After each call of the library that may have closed its socket. */
static void check(struct mqtt_link *link, int rc)
{
    if (link->dead || (rc == MOSQ_ERR_SUCCESS && mosquitto_socket(link->mosq) == link->fd))
        return;
    if (link->polled)
        uv_poll_stop(&link->poll);
    link->fd = -1;
    mqtt_link_end(link, false, "%s", failure(link, rc));
}

/* Reading and writing */

static bool in_handshake(const struct mqtt_link *link)
{
    SSL *ssl = mosquitto_ssl_get(link->mosq);
    return ssl != NULL && !SSL_is_init_finished(ssl);
}

static bool has_input(const struct mqtt_link *link)
{
    SSL *ssl = mosquitto_ssl_get(link->mosq);
    if (ssl != NULL && SSL_pending(ssl) > 0)
        return true;
    char byte;
    ssize_t got = recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* A commit that takes seconds keeps what comes meanwhile in the socket, where nobody sees its age.
 */
static void note_bar(struct mqtt_link *link, bool barred)
{
    int64_t now = clock_boot_ms(&link->client->clock);
    if (barred && link->barred_at == 0)
        link->barred_at = now;
    if (barred || link->barred_at == 0)
        return;
    link->late = link->late || now - link->barred_at > MQTT_LATE_MS;
    link->barred_at = 0;
}

void mqtt_link_read(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    if (link->dead || !link->connected || client->depth > 0 || in_handshake(link))
        return;
    client->depth++;
    note_bar(link, !client->o.may_read(client->o.owner));
    /* The socket is asked, not errno: PITFALLS 15. Over TLS what is decrypted already must be taken
     * in full, since the socket will not call for it again. */
    for (int i = 0; !link->dead && client->o.may_read(client->o.owner) && has_input(link); i++) {
        SSL *ssl = mosquitto_ssl_get(link->mosq);
        if (i >= MQTT_BURST && (ssl == NULL || SSL_pending(ssl) == 0))
            break;
        check(link, mosquitto_loop_read(link->mosq, 1));
        mqtt_tags_settle(link);
    }
    if (link->late && !link->dead && !has_input(link))
        link->late = false;
    client->depth--;
    if (client->input_open) {
        client->input_open = false;
        if (client->o.input_end != NULL)
            client->o.input_end(client->o.owner);
    }
    release(link);
}

void mqtt_link_write(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    if (client->depth > 0) {
        mqtt_kick(client);
        return;
    }
    if (!link->dead && link->connected && !in_handshake(link) && mosquitto_want_write(link->mosq) &&
        client->o.may_write(client->o.owner)) {
        client->depth++;
        check(link, mosquitto_loop_write(link->mosq, 1));
        client->depth--;
    }
    release(link);
}

static void go_on_with_handshake(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    client->depth++;
    check(link, mosquitto_loop_read(link->mosq, 1));
    /* The library takes the end of the stream for "go on" here, which would spin. */
    char byte;
    if (!link->dead && in_handshake(link) && recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        mqtt_link_end(link, false, "the broker closed the connection during the TLS handshake");
    client->depth--;
    release(link);
}

static bool connect_ended(struct mqtt_link *link, int events)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0)
        mqtt_link_end(link, false, "%s", strerror(error));
    else if (events & UV_WRITABLE)
        link->connected = true;
    return link->connected && !link->dead;
}

static void ready(struct mqtt_link *link, int events, bool broken)
{
    struct mqtt_client *client = link->client;
    if (!link->connected && !connect_ended(link, events)) {
        if (broken && !link->dead)
            mqtt_link_end(link, false, "the connection failed");
        return;
    }
    if (in_handshake(link)) {
        go_on_with_handshake(link);
        if (client->link != link || in_handshake(link))
            return;
    }
    if (broken && !client->o.may_read(client->o.owner)) {
        mqtt_link_end(link, false, "the connection is broken");
        return;
    }
    if (events & UV_READABLE)
        mqtt_link_read(link);
    if (client->link == link)
        mqtt_link_write(link);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct mqtt_link *link = handle->data;
    struct mqtt_client *client = link->client;
    /* libuv stops the handle when epoll reports an error alone (PITFALLS 17). */
    if (status < 0) {
        link->armed = 0;
        events = UV_READABLE;
    }
    if (!mqtt_enter(client))
        return;
    if (client->link == link && !link->dead)
        ready(link, events, status < 0);
    mqtt_leave(client);
}

void mqtt_link_arm(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    if (link->dead || link->fd < 0)
        return;
    int events = 0;
    if (!link->connected) {
        events = UV_WRITABLE;
    } else if (in_handshake(link)) {
        SSL *ssl = mosquitto_ssl_get(link->mosq);
        events = UV_READABLE | (SSL_want_write(ssl) ? UV_WRITABLE : 0);
    } else {
        bool may_read = client->o.may_read(client->o.owner);
        note_bar(link, !may_read);
        if (may_read)
            events |= UV_READABLE;
        if (mosquitto_want_write(link->mosq) && client->o.may_write(client->o.owner))
            events |= UV_WRITABLE;
    }
    if (events == link->armed)
        return;
    link->armed = events;
    if (events == 0)
        uv_poll_stop(&link->poll);
    else
        uv_poll_start(&link->poll, events, on_poll);
}

void mqtt_link_misc(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    /* The broker's sign of life may lie unread in the socket: look first, and judge only then. */
    if (!link->accepted || !client->o.may_read(client->o.owner))
        return;
    mqtt_link_read(link);
    if (client->link != link || client->depth > 0)
        return;
    client->depth++;
    check(link, mosquitto_loop_misc(link->mosq));
    client->depth--;
    if (client->link == link)
        mqtt_link_write(link);
}

/* The beginning */

static struct mosquitto *make_library_object(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    struct mosquitto *mosq = mosquitto_new(client->id, true, link);
    if (mosq == NULL)
        return NULL;
    mosquitto_threaded_set(mosq, true);
    mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(mosq, MOSQ_OPT_SEND_MAXIMUM, 1000);
    mosquitto_int_option(mosq, MOSQ_OPT_RECEIVE_MAXIMUM, 1000);
    if (client->o.username[0] != '\0')
        mosquitto_username_pw_set(mosq, client->o.username,
                                  client->o.password[0] != '\0' ? client->o.password : NULL);
    if (client->tls != NULL) {
        mosquitto_void_option(mosq, MOSQ_OPT_SSL_CTX, client->tls);
        mosquitto_int_option(mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    }
    mosquitto_connect_v5_callback_set(mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(mosq, on_disconnect);
    mosquitto_message_callback_set(mosq, on_message);
    mosquitto_publish_v5_callback_set(mosq, on_publish);
    mosquitto_subscribe_v5_callback_set(mosq, on_subscribe);
    /* Only the blocking connect takes properties for CONNECT, but the library keeps them before it
     * looks at the host: without one it refuses, and the non-blocking connect sends them. */
    mosquitto_property *properties = NULL;
    if (mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, MQTT_MAX_PACKET) ==
        MOSQ_ERR_SUCCESS)
        mosquitto_connect_bind_v5(mosq, NULL, 1, MQTT_KEEPALIVE_S, NULL, properties);
    mosquitto_property_free_all(&properties);
    return mosq;
}

enum err mqtt_link_open(struct mqtt_client *client, const char *address, char *why, size_t size)
{
    struct mqtt_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        snprintf(why, size, "out of memory");
        return ERR_NO_MEMORY;
    }
    link->client = client;
    link->mosq = make_library_object(link);
    if (link->mosq == NULL) {
        snprintf(why, size, "%s", strerror(errno));
        free(link);
        return ERR_NO_MEMORY;
    }
    mqtt_link_log(link, true);
    client->depth++;
    int rc = mosquitto_connect_async(link->mosq, address, client->port, MQTT_KEEPALIVE_S);
    client->depth--;
    link->fd = mosquitto_socket(link->mosq);
    if (rc == MOSQ_ERR_SUCCESS && link->fd >= 0 &&
        uv_poll_init(client->o.loop, &link->poll, link->fd) == 0) {
        /* The broker's process must not inherit it. */
        fcntl(link->fd, F_SETFD, FD_CLOEXEC);
        link->poll.data = link;
        link->polled = true;
        client->handles++;
        client->link = link;
        mqtt_link_arm(link);
        return ERR_OK;
    }
    snprintf(why, size, "%s", link->dead ? link->why : failure(link, rc));
    mosquitto_destroy(link->mosq);
    free(link);
    return ERR_NO_LINK;
}
