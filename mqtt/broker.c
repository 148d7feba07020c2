/* SPDX-License-Identifier: MIT
 *
 * The life of the embedded broker: spawned, asked until it accepts, watched, started again after
 * growing pauses, ended with the server. It knows no MQTT.
 *
 *   IDLE -> STARTING -> RUNNING -> PAUSING -> STARTING ...      any -> STOPPING
 */
#include "mqtt/broker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mqtt/broker_priv.h"
#include "server/base/log.h"

#define ASK_MS       10   /* how often a starting one is asked whether it accepts */
#define PATIENCE_MS  2000 /* from SIGTERM to SIGKILL */
#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 10000
#define SETTLED_MS   30000 /* one that lived so long starts again with the shortest pause */
#define START_MS     10000 /* one that accepts nothing for so long is killed and started again */

static enum err spawn(struct broker *broker, struct cause *cause);

enum err broker_new(const struct broker_options *options, struct broker **out, struct cause *cause)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (!broker)
        return cause_set(cause, ERR_NO_MEMORY, "out of memory");
    broker->options = *options;
    broker->port = options->port;
    broker->pause_ms = PAUSE_MIN_MS;
    int tls_port = options->tls_port;
    enum err err = broker_find_program(broker->program, cause);
    if (!err)
        err = broker_check_port(options->listen, &broker->port, "mqtt.port", cause);
    if (!err && tls_port)
        err = broker_check_port(options->listen, &tls_port, "mqtt.tls.port", cause);
    if (!err)
        err = broker_write_config(broker, cause);
    if (!err && uv_timer_init(options->loop, &broker->timer))
        err = cause_set(cause, ERR_INTERNAL, "the broker's timer cannot be made");
    if (err) {
        free(broker);
        return err;
    }
    broker->timer.data = broker;
    broker->timer_open = true;
    *out = broker;
    return ERR_OK;
}

int broker_port(const struct broker *broker)
{
    return broker->port;
}

int broker_pid(const struct broker *broker)
{
    return broker->alive ? broker->process.pid : 0;
}

/* ---- what it says ---- */

static void say_line(struct broker *broker)
{
    if (!broker->line_len)
        return;
    broker->line[broker->line_len] = '\0';
    bool bad = strncmp(broker->line, "Error", 5) == 0;
    if (bad)
        log_error("broker", "%s", broker->line);
    else
        log_info("broker", "%s", broker->line);
    if (bad || !broker->last_words[0])
        snprintf(broker->last_words, sizeof broker->last_words, "%s", broker->line);
    broker->line_len = 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    (void)suggested;
    struct broker *broker = handle->data;
    /* One byte is kept for the end of the line. */
    *part = uv_buf_init(broker->line + broker->line_len,
                        (unsigned)(sizeof broker->line - 1 - broker->line_len));
}

static void take_text(struct broker *broker, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' || broker->line_len == sizeof broker->line - 1)
            say_line(broker);
        if (text[i] != '\n')
            broker->line[broker->line_len++] = text[i];
    }
    if (broker->line_len == sizeof broker->line - 1)
        say_line(broker);
}

static void on_errors(uv_stream_t *stream, ssize_t count, const uv_buf_t *part)
{
    struct broker *broker = stream->data;
    if (count < 0) {
        say_line(broker);
        uv_read_stop(stream);
        return;
    }
    char text[BROKER_LINE_SIZE];
    memcpy(text, part->base, (size_t)count);
    take_text(broker, text, (size_t)count);
}

/* The end may be told before its last words were read: they say why. */
static void take_last_words(struct broker *broker)
{
    int fd;
    char text[BROKER_LINE_SIZE];
    if (uv_fileno((uv_handle_t *)&broker->errors, &fd))
        return;
    for (ssize_t count; (count = read(fd, text, sizeof text)) > 0;)
        take_text(broker, text, (size_t)count);
    say_line(broker);
}

/* ---- its end ---- */

static void free_when_closed(struct broker *broker)
{
    if (broker->state != BROKER_STOPPING || broker->process_open || broker->errors_open ||
        broker->timer_open)
        return;
    void (*closed)(void *owner) = broker->closed;
    void *owner = broker->closed_owner;
    free(broker);
    closed(owner);
}

static void on_timer(uv_timer_t *timer);

static void wait_a_while(struct broker *broker)
{
    broker->state = BROKER_PAUSING;
    uv_timer_start(&broker->timer, on_timer, broker->pause_ms, 0);
    broker->pause_ms = 2 * broker->pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : 2 * broker->pause_ms;
}

static void on_both_closed(struct broker *broker)
{
    if (broker->process_open || broker->errors_open)
        return;
    if (broker->state == BROKER_STOPPING) {
        free_when_closed(broker);
        return;
    }
    wait_a_while(broker);
}

static void on_process_closed(uv_handle_t *handle)
{
    struct broker *broker = handle->data;
    broker->process_open = false;
    on_both_closed(broker);
}

static void on_errors_closed(uv_handle_t *handle)
{
    struct broker *broker = handle->data;
    broker->errors_open = false;
    on_both_closed(broker);
}

static void close_child(struct broker *broker)
{
    if (broker->process_open && !uv_is_closing((uv_handle_t *)&broker->process))
        uv_close((uv_handle_t *)&broker->process, on_process_closed);
    if (broker->errors_open && !uv_is_closing((uv_handle_t *)&broker->errors))
        uv_close((uv_handle_t *)&broker->errors, on_errors_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct broker *broker = handle->data;
    broker->timer_open = false;
    free_when_closed(broker);
}

static void on_exit_child(uv_process_t *process, int64_t status, int number)
{
    struct broker *broker = process->data;
    char why[BROKER_LINE_SIZE + 128];
    broker->alive = false;
    take_last_words(broker);
    uv_timer_stop(&broker->timer);
    if (broker->state == BROKER_STOPPING) {
        uv_close((uv_handle_t *)&broker->timer, on_timer_closed);
        close_child(broker);
        return;
    }
    if (uv_now(broker->options.loop) - broker->spawned_at >= SETTLED_MS)
        broker->pause_ms = PAUSE_MIN_MS;
    if (strstr(broker->last_words, "Address already in use"))
        broker_say_taken(broker->options.listen, broker->port, "mqtt.port", why, sizeof why);
    else if (number)
        snprintf(why, sizeof why, "mosquitto was ended by signal %d", number);
    else
        snprintf(why, sizeof why, "mosquitto ended with status %d: %s", (int)status,
                 broker->last_words[0] ? broker->last_words : "it said nothing");
    log_warn("broker", "%s; it is started again in %u ms", why, broker->pause_ms);
    close_child(broker);
    broker->options.on_ended(broker->options.owner, why);
}

/* ---- its start ---- */

static void ask(struct broker *broker)
{
    if (!broker_accepts(broker->options.listen, broker->port)) {
        if (uv_now(broker->options.loop) - broker->spawned_at >= START_MS)
            uv_process_kill(&broker->process, SIGKILL);
        else
            uv_timer_start(&broker->timer, on_timer, ASK_MS, 0);
        return;
    }
    broker->state = BROKER_RUNNING;
    log_info("broker", "mosquitto, pid %d, on %s:%d", broker->process.pid, broker->options.listen,
             broker->port);
    broker->options.on_started(broker->options.owner, broker->port);
}

/* The port is asked for before each start: another that took it in between would answer the
 * question whether ours accepts. */
static void start_again(struct broker *broker)
{
    struct cause cause = {""};
    int port = broker->port;
    if (broker_check_port(broker->options.listen, &port, "mqtt.port", &cause)) {
        log_error("broker", "%s", cause.text);
        wait_a_while(broker);
        broker->options.on_ended(broker->options.owner, cause.text);
    } else if (spawn(broker, &cause)) {
        log_error("broker", "%s", cause.text);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct broker *broker = timer->data;
    if (broker->state == BROKER_STARTING) {
        ask(broker);
    } else if (broker->state == BROKER_STOPPING && broker->alive) {
        log_warn("broker", "mosquitto did not end in %d ms: killed", PATIENCE_MS);
        uv_process_kill(&broker->process, SIGKILL);
    } else if (broker->state == BROKER_PAUSING) {
        start_again(broker);
    }
}

static enum err spawn(struct broker *broker, struct cause *cause)
{
    char parent[16];
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    static char name[] = "gatehouse", mode[] = "broker-child";
    char *arguments[] = {name, mode, parent, broker->config_path, broker->program, NULL};
    uv_stdio_container_t streams[3] = {{.flags = UV_IGNORE},
                                       {.flags = UV_IGNORE},
                                       {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
                                        .data.stream = (uv_stream_t *)&broker->errors}};
    uv_process_options_t options = {
        .file = broker->options.self,
        /* A session of its own: Ctrl-C is for the server, which then ends its broker last. */
        .flags = UV_PROCESS_DETACHED,
        .args = arguments,
        .exit_cb = on_exit_child,
        .stdio = streams,
        .stdio_count = 3,
    };
    broker->process.data = broker->errors.data = broker;
    broker->last_words[0] = '\0';
    broker->line_len = 0;
    if (uv_pipe_init(broker->options.loop, &broker->errors, 0))
        return cause_set(cause, ERR_INTERNAL, "the broker's pipe cannot be made");
    broker->errors_open = true;
    /* uv_spawn leaves the process handle for us to close also when it fails. */
    broker->process_open = true;
    int failed = uv_spawn(broker->options.loop, &broker->process, &options);
    if (failed) {
        close_child(broker);
        return cause_set(cause, ERR_IO, "mosquitto cannot be started: %s", uv_strerror(failed));
    }
    broker->alive = true;
    broker->state = BROKER_STARTING;
    broker->spawned_at = uv_now(broker->options.loop);
    uv_read_start((uv_stream_t *)&broker->errors, on_alloc, on_errors);
    uv_timer_start(&broker->timer, on_timer, ASK_MS, 0);
    return ERR_OK;
}

enum err broker_start(struct broker *broker, struct cause *cause)
{
    return spawn(broker, cause);
}

void broker_close(struct broker *broker, void (*done)(void *owner), void *owner)
{
    broker->state = BROKER_STOPPING;
    broker->closed = done;
    broker->closed_owner = owner;
    uv_timer_stop(&broker->timer);
    if (broker->alive) {
        uv_process_kill(&broker->process, SIGTERM);
        uv_timer_start(&broker->timer, on_timer, PATIENCE_MS, 0);
        return;
    }
    uv_close((uv_handle_t *)&broker->timer, on_timer_closed);
    close_child(broker);
}
