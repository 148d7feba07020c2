/* SPDX-License-Identifier: MIT
 *
 * `gatehouse-sim lock`: one board that says what happens to it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/base/log.h"
#include "tests/simulator/sim_board.h"

struct lock_run {
    struct sim sim;
    struct sim_board board;
};

static void on_event(struct sim_board *board, enum board_event event, const char *detail)
{
    struct lock_run *run = board->owner;
    struct sim *sim = &run->sim;
    char shown[400];
    log_escape(shown, sizeof shown, detail, strlen(detail));
    switch (event) {
    case BOARD_CONNECTED:
        sim_say(sim, "connected to %s, listening on %s", sim->options->broker, board->topic);
        break;
    case BOARD_LOST:
        sim_say(sim, "no connection to %s: %s; trying again", sim->options->broker, shown);
        break;
    case BOARD_ASKED:
        sim_say(sim, "sent to %s: %s", sim->options->server_topic, shown);
        break;
    case BOARD_ACCEPTED:
        sim_say(sim, "hand-shake accepted: %s", shown);
        break;
    case BOARD_REFUSED:
        sim_say(sim, "hand-shake refused: %s", shown);
        break;
    case BOARD_COMMAND:
        sim_say(sim, "command %s: the door is %s", shown, board->locked ? "locked" : "unlocked");
        break;
    case BOARD_ANSWERED:
        sim_say(sim, "sent to %s: %s", sim->options->app_topic, shown);
        break;
    case BOARD_STRANGE:
        sim_say(sim, "ignored: %s", shown);
        break;
    }
    const uint64_t wanted = (uint64_t)sim->options->count;
    const uint64_t reached = sim->options->no_answer ? board->commands : board->answers;
    /* The last answer is still on its way to the broker: the end comes when it was acknowledged. */
    if (wanted > 0 && reached >= wanted && sim->options->no_answer)
        sim_end(sim, END_DONE);
}

static void on_acknowledged(void *owner)
{
    const struct sim_board *board = owner;
    struct lock_run *run = board->owner;
    const uint64_t wanted = (uint64_t)run->sim.options->count;
    if (wanted > 0 && board->answers >= wanted)
        sim_end(&run->sim, END_DONE);
}

static int on_end(void *owner, enum sim_end why)
{
    struct lock_run *run = owner;
    const struct sim_board *board = &run->board;
    board_close(&run->board);
    sim_tell(&run->sim,
             "lock %s: %s, %" PRIu64 " commands, %" PRIu64 " answers, %" PRIu64
             " connections lost, the door is %s",
             board->id, board->was_accepted ? "hand-shaken" : "not hand-shaken", board->commands,
             board->answers, board->losses, board->locked ? "locked" : "unlocked");
    const bool short_of = run->sim.options->count > 0 && why == END_TIME;
    return board->was_accepted && !short_of ? 0 : 1;
}

int sim_lock(const struct sim_options *options)
{
    static struct lock_run run;
    sim_init(&run.sim, options, on_end, &run);
    struct sim_board *board = &run.board;
    board->link.sim = &run.sim;
    board->link.on_acknowledged = on_acknowledged;
    board->owner = &run;
    board->on_event = on_event;
    text_copy(board->id, sizeof board->id, options->device, strlen(options->device));
    text_copy(board->topic, sizeof board->topic, options->device_topic,
              strlen(options->device_topic));
    snprintf(board->link.client_id, sizeof board->link.client_id, "sim-lock-%d-%s", (int)getpid(),
             options->device);
    board_open(board);
    return sim_run(&run.sim);
}
