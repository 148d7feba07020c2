/* SPDX-License-Identifier: MIT
 *
 * `gatehouse-sim fleet N`: many boards in one process on one thread, each with its own connection.
 * They start one after another, so that neither broker nor server meets them all at once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/simulator/sim_board.h"

#define FLEET_TICK_MS 1000
/* A connection is a socket and libmosquitto's wake-up pair. */
#define FLEET_FILES_EACH 3
#define FLEET_FILES_MORE 64

struct fleet {
    struct sim sim;
    struct sim_board *boards;
    size_t size, opened;
    size_t connected, accepted, ever_accepted;
    uint64_t commands, answers, refusals, losses;
    uint64_t shown_commands; /* at the last progress line */
    uv_timer_t starter, progress;
};

static void on_event(struct sim_board *board, enum board_event event, const char *detail)
{
    (void)detail;
    struct fleet *fleet = board->owner;
    switch (event) {
    case BOARD_CONNECTED:
        fleet->connected++;
        break;
    case BOARD_ANSWERED:
        fleet->answers++;
        break;
    case BOARD_COMMAND:
        fleet->commands++;
        break;
    case BOARD_REFUSED:
        fleet->refusals++;
        break;
    default:
        break;
    }
}

/* Counted anew: a board may lose its connection before or after its hand-shake. */
static void fleet_count(struct fleet *fleet)
{
    fleet->connected = fleet->accepted = fleet->ever_accepted = 0;
    fleet->losses = 0;
    for (size_t i = 0; i < fleet->opened; i++) {
        const struct sim_board *board = &fleet->boards[i];
        fleet->connected += board->connected ? 1 : 0;
        fleet->accepted += board->accepted ? 1 : 0;
        fleet->ever_accepted += board->was_accepted ? 1 : 0;
        fleet->losses += board->losses;
    }
}

static void on_progress(uv_timer_t *timer)
{
    struct fleet *fleet = timer->data;
    fleet_count(fleet);
    sim_say(&fleet->sim,
            "connected %zu of %zu, hand-shaken %zu, commands %" PRIu64 " (%" PRIu64
            " in the last second), answers %" PRIu64,
            fleet->connected, fleet->size, fleet->accepted, fleet->commands,
            fleet->commands - fleet->shown_commands, fleet->answers);
    fleet->shown_commands = fleet->commands;
    const uint64_t wanted = (uint64_t)fleet->sim.options->count;
    if (wanted > 0 && fleet->answers >= wanted)
        sim_end(&fleet->sim, END_DONE);
}

static void fleet_open_next(struct fleet *fleet)
{
    const struct sim_options *options = fleet->sim.options;
    const size_t number = fleet->opened++;
    struct sim_board *board = &fleet->boards[number];
    board->link.sim = &fleet->sim;
    board->owner = fleet;
    board->on_event = on_event;
    /* Room for the number is kept free by the check in sim_fleet(). */
    snprintf(board->id, sizeof board->id, "%.100s-%06zu", options->device, number + 1);
    snprintf(board->topic, sizeof board->topic, "%.100s-%06zu", options->device_topic, number + 1);
    snprintf(board->link.client_id, sizeof board->link.client_id, "sim-fleet-%d-%zu", (int)getpid(),
             number + 1);
    board_open(board);
}

static void on_starter(uv_timer_t *timer)
{
    struct fleet *fleet = timer->data;
    if (fleet->opened < fleet->size)
        fleet_open_next(fleet);
    if (fleet->opened == fleet->size)
        uv_timer_stop(timer);
}

static int on_end(void *owner, enum sim_end why)
{
    struct fleet *fleet = owner;
    fleet_count(fleet);
    sim_tell(&fleet->sim,
             "fleet of %zu: hand-shaken %zu, refused %" PRIu64 ", commands %" PRIu64
             ", answers %" PRIu64 ", connections lost %" PRIu64 ", in %.1f s",
             fleet->size, fleet->ever_accepted, fleet->refusals, fleet->commands, fleet->answers,
             fleet->losses, sim_elapsed_s(&fleet->sim));
    for (size_t i = 0; i < fleet->opened; i++)
        board_close(&fleet->boards[i]);
    uv_close((uv_handle_t *)&fleet->starter, NULL);
    uv_close((uv_handle_t *)&fleet->progress, NULL);
    const bool short_of = fleet->sim.options->count > 0 && why == END_TIME;
    return fleet->ever_accepted == fleet->size && !short_of ? 0 : 1;
}

static bool fleet_allow_files(size_t boards)
{
    struct rlimit limit;
    const rlim_t wanted = boards * FLEET_FILES_EACH + FLEET_FILES_MORE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    if (limit.rlim_cur >= wanted)
        return true;
    limit.rlim_cur = wanted <= limit.rlim_max ? wanted : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= wanted;
}

int sim_fleet(const struct sim_options *options)
{
    static struct fleet fleet;
    fleet.size = (size_t)options->boards;
    if (strlen(options->device) > 100 || strlen(options->device_topic) > 100) {
        fprintf(stderr, "gatehouse-sim: --device and --device-topic of a fleet get a number "
                        "appended: at most 100 bytes\n");
        return 2;
    }
    if (!fleet_allow_files(fleet.size)) {
        fprintf(stderr,
                "gatehouse-sim: %zu boards need %zu open files: raise the limit (ulimit -n)\n",
                fleet.size, fleet.size * FLEET_FILES_EACH + FLEET_FILES_MORE);
        return 1;
    }
    fleet.boards = calloc(fleet.size, sizeof *fleet.boards);
    if (fleet.boards == NULL) {
        fprintf(stderr, "gatehouse-sim: out of memory for %zu boards\n", fleet.size);
        return 1;
    }
    sim_init(&fleet.sim, options, on_end, &fleet);
    uv_timer_init(&fleet.sim.loop, &fleet.starter);
    uv_timer_init(&fleet.sim.loop, &fleet.progress);
    fleet.starter.data = fleet.progress.data = &fleet;
    const uint64_t every = (uint64_t)(options->every_ms > 0 ? options->every_ms : 1);
    uv_timer_start(&fleet.starter, on_starter, 0, every);
    uv_timer_start(&fleet.progress, on_progress, FLEET_TICK_MS, FLEET_TICK_MS);
    const int status = sim_run(&fleet.sim);
    free(fleet.boards);
    return status;
}
