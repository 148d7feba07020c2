/* SPDX-License-Identifier: MIT
 *
 * A lock as the existing boards are (CONTRACT part 1): hand-shakes with `add_device`, obeys `lock`
 * and `unlock` on its own topic, answers `..._response 0 DEVICE_ID APP_ID` on the app's topic. The
 * subcommands `lock` and `fleet` are made of these.
 */
#ifndef SIM_BOARD_H
#define SIM_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/simulator/sim_link.h"

struct board_answer;

enum board_event {
    BOARD_CONNECTED, /* and subscribed */
    BOARD_LOST,      /* detail: why */
    BOARD_ASKED,     /* sent its hand-shake */
    BOARD_ACCEPTED,  /* the server answered 0 */
    BOARD_REFUSED,   /* it answered something else; detail: the payload */
    BOARD_COMMAND,   /* detail: the word */
    BOARD_ANSWERED,  /* detail: what was sent */
    BOARD_STRANGE    /* a payload that is neither; detail: the payload, escaped */
};

struct sim_board {
    struct sim_link link; /* link.sim and link.client_id are set by whoever owns the board */
    char id[NAME_SIZE], topic[NAME_SIZE];
    void *owner;
    void (*on_event)(struct sim_board *board, enum board_event event, const char *detail);

    bool connected, accepted, was_accepted; /* accepted: on this connection */
    bool locked;
    uint64_t commands, answers, refusals, losses;

    /* Private. */
    uv_timer_t again;             /* asks again while no answer comes */
    struct board_answer *pending; /* delayed answers */
};

/* `id`, `topic`, `owner`, `on_event` and the link's `sim` and `client_id` are set. */
void board_open(struct sim_board *board);
void board_close(struct sim_board *board);

#endif
