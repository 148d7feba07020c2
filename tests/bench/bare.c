/* SPDX-License-Identifier: MIT
 *
 * The floor: libmicrohttpd in a libuv loop with the options that the server uses (8 KB pool, epoll,
 * no threads) and nothing on top. GET /hello answers `hello`, all else 404. Prints "ready PORT";
 * ends on SIGTERM and SIGINT.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <microhttpd.h>
#include <uv.h>

#define POOL_BYTES   8192
#define CONNECTIONS  4096u
#define BACKLOG      1024u
#define PUMP_RUNS    64
#define FILES_BESIDE 64
#define PATH_HELLO   "/hello"

struct bare {
    uv_loop_t loop;
    struct MHD_Daemon *daemon;
    struct MHD_Response *hello, *nothing;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_signal_t terminated, interrupted;
};

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    (void)version;
    (void)data;
    static int begun;
    struct bare *bare = arg;
    if (*state == NULL) {
        *state = &begun;
        return MHD_YES;
    }
    if (*size > 0) {
        *size = 0;
        return MHD_YES;
    }
    const bool known = strcmp(url, PATH_HELLO) == 0 && strcmp(method, "GET") == 0;
    return MHD_queue_response(connection, known ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND,
                              known ? bare->hello : bare->nothing);
}

static void on_idle(uv_idle_t *idle);
static void on_timer(uv_timer_t *timer);

/* Runs the library until it has nothing left to do, or for a bounded while; then says to the loop
 * when it wants to be run again (PITFALLS 1). */
static void bare_pump(struct bare *bare)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    bool waits = false;
    for (int i = 0; i < PUMP_RUNS; i++) {
        MHD_run(bare->daemon);
        waits = MHD_get_timeout(bare->daemon, &wait_ms) == MHD_YES;
        if (!waits || wait_ms > 0)
            break;
    }
    uv_idle_stop(&bare->idle);
    uv_timer_stop(&bare->timer);
    if (waits && wait_ms == 0)
        uv_idle_start(&bare->idle, on_idle);
    else if (waits)
        uv_timer_start(&bare->timer, on_timer, wait_ms, 0);
}

static void on_idle(uv_idle_t *idle)
{
    bare_pump(idle->data);
}

static void on_timer(uv_timer_t *timer)
{
    bare_pump(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    bare_pump(poll->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct bare *bare = handle->data;
    uv_close((uv_handle_t *)&bare->poll, NULL);
    uv_close((uv_handle_t *)&bare->timer, NULL);
    uv_close((uv_handle_t *)&bare->idle, NULL);
    uv_close((uv_handle_t *)&bare->terminated, NULL);
    uv_close((uv_handle_t *)&bare->interrupted, NULL);
}

static bool bare_start(struct bare *bare)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < CONNECTIONS + FILES_BESIDE) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bare->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
        bare, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, BACKLOG, MHD_OPTION_CONNECTION_TIMEOUT, 15u,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    bare->hello =
        MHD_create_response_from_buffer(5, (void *)(size_t) "hello", MHD_RESPMEM_PERSISTENT);
    bare->nothing = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (bare->daemon == NULL || bare->hello == NULL || bare->nothing == NULL)
        return false;
    return MHD_add_response_header(bare->hello, "Content-Type", "text/plain; charset=utf-8") ==
           MHD_YES;
}

int main(void)
{
    static struct bare bare;
    signal(SIGPIPE, SIG_IGN);
    if (!bare_start(&bare)) {
        fprintf(stderr, "bare: libmicrohttpd does not start\n");
        return 1;
    }
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(bare.daemon, MHD_DAEMON_INFO_EPOLL_FD);
    const union MHD_DaemonInfo *port = MHD_get_daemon_info(bare.daemon, MHD_DAEMON_INFO_BIND_PORT);
    uv_loop_init(&bare.loop);
    bare.poll.data = bare.timer.data = bare.idle.data = &bare;
    bare.terminated.data = bare.interrupted.data = &bare;
    uv_poll_init(&bare.loop, &bare.poll, epoll->epoll_fd);
    uv_timer_init(&bare.loop, &bare.timer);
    uv_idle_init(&bare.loop, &bare.idle);
    uv_signal_init(&bare.loop, &bare.terminated);
    uv_signal_init(&bare.loop, &bare.interrupted);
    uv_signal_start(&bare.terminated, on_signal, SIGTERM);
    uv_signal_start(&bare.interrupted, on_signal, SIGINT);
    uv_poll_start(&bare.poll, UV_READABLE, on_poll);
    printf("ready %u\n", (unsigned)port->port);
    fflush(stdout);
    uv_run(&bare.loop, UV_RUN_DEFAULT);
    MHD_stop_daemon(bare.daemon);
    MHD_destroy_response(bare.hello);
    MHD_destroy_response(bare.nothing);
    uv_loop_close(&bare.loop);
    return 0;
}
