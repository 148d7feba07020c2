/* SPDX-License-Identifier: MIT
 *
 * The house is built in the order of the list in server_run() and ended in the reverse order. Each
 * part that fails to start has said why in a cause; one teardown serves every failure, so each part
 * may be missing there.
 */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/command.h"
#include "server/base/log.h"
#include "server/control.h"
#include "server/router.h"
#include "server/static_files.h"
#include "state/folder.h"

static enum err start_store(struct server *server, struct cause *cause)
{
    enum err err = folder_lock(server->config->data_dir, &server->folder_fd, cause);
    if (err)
        return err;
    struct store_options options = {
        .data_dir = server->config->data_dir,
        .post = hop_post(server->hop),
        .now_at = server->started_at,
    };
    return store_open(&options, &server->store, cause);
}

static enum err start_turn(struct server *server, struct cause *cause)
{
    struct registry *registry = registry_new();
    if (!registry)
        return cause_set(cause, ERR_NO_MEMORY, "out of memory");
    enum err err = store_load(server->store, registry, cause);
    if (err) {
        registry_free(registry);
        return err;
    }
    struct turn_keeper keeper = server_keeper(server);
    server->turn = turn_new(registry, &keeper, &server->clock);
    if (!server->turn) {
        registry_free(registry);
        return cause_set(cause, ERR_NO_MEMORY, "out of memory");
    }
    turn_on_settled(server->turn, server_turn_settled, server);
    return ERR_OK;
}

static void fill_raw_frames(const struct field_list *list, struct raw_frame *frames, size_t max)
{
    for (size_t i = 0; i < (size_t)list->count && i < max; i++)
        if (sscanf(list->item[i], "%ux%u", &frames[i].width, &frames[i].height) != 2)
            frames[i] = (struct raw_frame){0, 0};
}

static enum err start_pictures(struct server *server, struct cause *cause)
{
    const struct config *config = server->config;
    struct pictures_options options = {
        .data_dir = config->data_dir,
        .post = hop_post(server->hop),
        .max_bytes = config->http_max_upload_mb << 20,
        .keep_bytes = config->retention_pictures_mb << 20,
        .keep_ms = config->retention_pictures_days * 24 * 3600 * 1000,
    };
    fill_raw_frames(&config->alerts_raw_frames, options.raw_frames,
                    sizeof options.raw_frames / sizeof *options.raw_frames);
    enum err err = pictures_new(&options, &server->pictures, cause);
    struct picture_sweep counts = {0, 0, 0};
    if (!err)
        err = pictures_sweep(server->pictures, server->store, server->turn, &counts, cause);
    if (!err && counts.temporary + counts.without_row + counts.without_file)
        log_info("pictures",
                 "swept %zu temporary files, %zu files without a row, %zu rows without a file",
                 counts.temporary, counts.without_row, counts.without_file);
    return err;
}

static enum err start_actions(struct server *server, struct cause *cause)
{
    const struct config *config = server->config;
    struct actions_options options = {
        .anonymous = (enum anonymous_may)(config->mqtt_anonymous - 1),
        .pairing = (enum pairing)(config->pairing - 1),
        .picture_wait_ms = config->alerts_picture_wait_ms,
        .server_topic = config->mqtt_server_topic,
        .clock = &server->clock,
        .ports = server_ports(server),
    };
    server->actions = actions_new(server->turn, &options);
    if (server->actions)
        server->inbound = inbound_new(server->actions, config->mqtt_server_topic);
    if (!server->inbound)
        return cause_set(cause, ERR_NO_MEMORY, "out of memory");
    return ERR_OK;
}

/* The addresses phones and pages may call us by, and the one that links start with. */
static void name_ourselves(struct server *server)
{
    const struct config *config = server->config;
    bool v6 = strchr(config->http_listen, ':') != NULL;
    char own[300], machine[256] = "";
    (void)gethostname(machine, sizeof machine - 1);
    if (address_is_any(config->http_listen))
        snprintf(own, sizeof own, "%s:%d", machine, server->http_port);
    else
        snprintf(own, sizeof own, v6 ? "[%s]:%d" : "%s:%d", config->http_listen, server->http_port);
    if (config->http_public_url[0])
        snprintf(server->public_url, sizeof server->public_url, "%s", config->http_public_url);
    else
        snprintf(server->public_url, sizeof server->public_url, "http://%s", own);
    size_t len = strlen(server->public_url);
    if (len && server->public_url[len - 1] == '/')
        server->public_url[len - 1] = '\0';
    size_t used = 0;
    const char *public_host = strstr(server->public_url, "://");
    if (public_host)
        snprintf(server->host_names[used++], sizeof *server->host_names, "%.*s",
                 (int)strcspn(public_host + 3, "/"), public_host + 3);
    snprintf(server->host_names[used++], sizeof *server->host_names, "localhost");
    if (machine[0]) {
        snprintf(server->host_names[used++], sizeof *server->host_names, "%s", machine);
        snprintf(server->host_names[used++], sizeof *server->host_names, "%s.local", machine);
    }
    for (size_t i = 0; i < used; i++)
        server->host_list[i] = server->host_names[i];
}

static enum err start_http(struct server *server, struct cause *cause)
{
    struct http_options options;
    server_http_options(server, &options);
    enum err err = static_files_load(&server->files, cause);
    if (!err)
        err = http_new(&options, &server->http, cause);
    if (err)
        return err;
    server->http_port = http_port(server->http);
    name_ourselves(server);
    return http_start(server->http, cause);
}

static enum err start_mqtt(struct server *server, struct cause *cause)
{
    struct mqtt_options options;
    server_mqtt_options(server, &options);
    enum err err = mqtt_client_new(&options, &server->mqtt, cause);
    if (err)
        return err;
    if (server->config->broker_embedded) {
        struct broker_options broker;
        server_broker_options(server, &broker);
        err = broker_new(&broker, &server->broker, cause);
        if (!err)
            err = broker_start(server->broker, cause);
    }
    /* While the broker starts: a hundred thousand topics take a while to name. */
    inbound_attach(server->inbound, server->mqtt);
    if (!err && !server->config->broker_embedded)
        mqtt_client_start(server->mqtt);
    return err;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    if (number == SIGHUP) {
        log_info("server", "SIGHUP: the configuration is read at the start only; nothing to do");
        return;
    }
    log_info("server", "%s: stopping", number == SIGINT ? "SIGINT" : "SIGTERM");
    server_stop(server, 0);
}

static enum err start_handles(struct server *server, struct cause *cause)
{
    uv_signal_t *signals[] = {&server->term, &server->interrupt, &server->hang_up};
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    int failed = uv_timer_init(&server->loop, &server->tick);
    failed |= uv_timer_init(&server->loop, &server->chores);
    server->tick.data = server->chores.data = server;
    for (size_t i = 0; i < 3; i++) {
        failed |= uv_signal_init(&server->loop, signals[i]);
        signals[i]->data = server;
        failed |= uv_signal_start(signals[i], on_signal, numbers[i]);
    }
    failed |= uv_timer_start(&server->tick, server_on_tick, 1, 0);
    failed |= uv_timer_start(&server->chores, server_on_chores, 1000, 60000);
    return failed ? cause_set(cause, ERR_INTERNAL, "the loop's handles could not be made") : ERR_OK;
}

static void newest_found(void *arg, void *const *rows, size_t count, enum err result)
{
    struct server *server = arg;
    if (!result && count && !server->newest_picture[0])
        memcpy(server->newest_picture, ((const struct picture *)rows[0])->id, SECRET_ID_SIZE);
}

static void ask_newest_picture(struct server *server)
{
    struct store_query query = {
        .kind = REC_PICTURE, .order = "created_at", .descending = true, .limit = 1};
    store_query(server->store, &query, newest_found, server);
}

static enum err build(struct server *server, struct cause *cause)
{
    static enum err (*const steps[])(struct server *, struct cause *) = {
        start_store, start_turn,    start_pictures, start_actions,
        start_http,  start_handles, control_start,  start_mqtt,
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        enum err err = steps[i](server, cause);
        if (err)
            return err;
    }
    enum err err = server_first_start(server);
    if (err)
        return cause_set(cause, err, "the first start could not be noted: %s", err_message(err));
    commands_recover(server->actions);
    ask_newest_picture(server);
    turn_end(server->turn);
    return ERR_OK;
}

static void part_closed(void *owner)
{
    struct server *server = owner;
    server->closing--;
}

/* What comes in ends first, then what goes out, then the broker that carried it. */
void server_stop(struct server *server, int exit_status)
{
    if (server->stopping)
        return;
    server->stopping = true;
    server->exit_status = exit_status;
    uv_handle_t *handles[] = {(uv_handle_t *)&server->tick, (uv_handle_t *)&server->chores,
                              (uv_handle_t *)&server->term, (uv_handle_t *)&server->interrupt,
                              (uv_handle_t *)&server->hang_up};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        if (handles[i]->loop && !uv_is_closing(handles[i]))
            uv_close(handles[i], NULL);
    control_stop(server);
    uv_stop(&server->loop);
}

#define STOP_KEEP_MS 3000 /* for the last commit */

static void run_until_closed(struct server *server)
{
    while (server->closing > 0)
        uv_run(&server->loop, UV_RUN_ONCE);
}

/* What was acknowledged is on disk already; what is open now gets its last commit, an order on its
 * way the broker's word, and who waits for either an answer. */
static void finish_turn(struct server *server)
{
    if (!server->turn)
        return;
    turn_end(server->turn);
    int64_t begun = clock_boot_ms(&server->clock), spent = 0;
    while ((spent < STOP_KEEP_MS && !turn_is_idle(server->turn)) ||
           (spent < COMMAND_HANDOVER_MS && server->actions && commands_wait(server->actions))) {
        uv_run(&server->loop, UV_RUN_NOWAIT);
        turn_tick(server->turn);
        turn_end(server->turn);
        usleep(200);
        spent = clock_boot_ms(&server->clock) - begun;
    }
    turn_stop(server->turn);
    if (server->actions)
        commands_stop(server->actions);
    if (server->replace)
        server->replace(server->replace_arg);
    server->replace = NULL;
    server_tell_replaced(server);
}

static void end_rooms(struct server *server)
{
    finish_turn(server);
    if (server->http) {
        server->closing++;
        http_close(server->http, part_closed, server);
        run_until_closed(server);
        server->http = NULL;
    }
    struct mqtt_client *mqtt = server->mqtt;
    server->mqtt = NULL;
    if (mqtt) {
        server->closing++;
        mqtt_client_close(mqtt, part_closed, server);
        run_until_closed(server);
    }
    if (server->broker) {
        server->closing++;
        broker_close(server->broker, part_closed, server);
        run_until_closed(server);
        server->broker = NULL;
    }
}

/* Worker threads end with what they still had to do; their last words come through the hop and find
 * the rooms they are for still standing. So does what the loop's own pool was reading. */
static void free_rooms(struct server *server)
{
    store_close(server->store);
    pictures_free(server->pictures);
    hop_drain(server->hop);
    hop_close(server->hop);
    /* Not one run: the uv_stop() of a start that failed would still end that before it began. */
    while (uv_loop_alive(&server->loop))
        uv_run(&server->loop, UV_RUN_ONCE);
    hop_free(server->hop);
    server_tell_replaced(server); /* of what the storage thread ended with */
    turn_free(server->turn);
    control_free(server);
    inbound_free(server->inbound);
    actions_free(server->actions);
    static_files_free(server->files);
    free(server->route_uses);
    if (server->folder_fd >= 0)
        close(server->folder_fd);
}

static void name_open_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    log_error("server", "open handle: %s", uv_handle_type_name(handle->type));
}

static size_t route_count(void)
{
    size_t count = 0;
    while (route_table[count].pattern)
        count++;
    return count;
}

static enum err start_loop(struct server *server, struct cause *cause)
{
    clock_init_system(&server->clock);
    server->started_at = clock_wall_ms(&server->clock);
    server->last_turn_boot = clock_boot_ms(&server->clock);
    server->route_uses = calloc(route_count(), sizeof *server->route_uses);
    if (!server->route_uses || uv_loop_init(&server->loop))
        return cause_set(cause, ERR_NO_MEMORY, "out of memory");
    struct hop_options options = {
        .loop = &server->loop, .owner = server, .wake = server_wake, .settle = server_settle};
    return hop_new(&options, &server->hop);
}

int server_run(const struct config *config)
{
    struct server *server = calloc(1, sizeof *server);
    struct cause cause = {"out of memory"};
    if (!server || (server->config = config, server->folder_fd = -1, start_loop(server, &cause))) {
        log_error("server", "cannot start: %s", cause.text);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a full quota is an error of write(), not the end of the process */
    enum err err = build(server, &cause);
    if (err) {
        log_error("server", "cannot start: %s", cause.text);
        server_stop(server, 1);
    } else {
        server->last_turn_boot = clock_boot_ms(&server->clock);
        uv_run(&server->loop, UV_RUN_DEFAULT);
    }
    end_rooms(server);
    free_rooms(server);
    int status = server->exit_status;
    if (uv_loop_close(&server->loop)) {
        uv_walk(&server->loop, name_open_handle, NULL);
        status = 1;
    }
    if (!status)
        log_info("server", "stopped");
    free(server);
    return status;
}
