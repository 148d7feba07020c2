/* SPDX-License-Identifier: MIT
 *
 * The board's side of the old dialect, with faults on request: late answers, none, or `1`. It
 * refuses to know who looks on.
 */
#include "tests/simulator/sim_board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "server/base/log.h"

#define BOARD_AGAIN_MS 3000

struct board_answer {
    uv_timer_t timer;
    struct sim_board *board;
    const char *word;
    struct board_answer *next, *prev;
};

static void board_tell(struct sim_board *board, enum board_event event, const char *detail)
{
    board->on_event(board, event, detail);
}

static void board_ask(struct sim_board *board)
{
    const struct sim_options *options = board->link.sim->options;
    char text[5 * NAME_SIZE], now[CLOCK_TEXT_MAX];
    snprintf(text, sizeof text, "add_device %s %s %s %s %s", board->id, board->topic, options->app,
             options->app_topic, clock_compact(clock_wall_ms(&board->link.sim->clock), now));
    if (sim_link_publish(&board->link, options->server_topic, text))
        board_tell(board, BOARD_ASKED, text);
}

static void on_again(uv_timer_t *timer)
{
    struct sim_board *board = timer->data;
    if (board->connected && !board->accepted)
        board_ask(board);
}

static void on_up(void *owner)
{
    struct sim_board *board = owner;
    board->connected = true;
    board_tell(board, BOARD_CONNECTED, "");
    board_ask(board);
    uv_timer_start(&board->again, on_again, BOARD_AGAIN_MS, BOARD_AGAIN_MS);
}

static void on_down(void *owner, const char *why)
{
    struct sim_board *board = owner;
    board->losses += board->connected ? 1 : 0;
    board->connected = board->accepted = false;
    uv_timer_stop(&board->again);
    board_tell(board, BOARD_LOST, why);
}

static void board_answer(struct sim_board *board, const char *word)
{
    const struct sim_options *options = board->link.sim->options;
    char text[3 * NAME_SIZE];
    snprintf(text, sizeof text, "%s_response %d %s %s", word, (int)options->answer, board->id,
             options->app);
    if (!sim_link_publish(&board->link, options->app_topic, text))
        return;
    board->answers++;
    board_tell(board, BOARD_ANSWERED, text);
}

static void on_answer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void answer_close(struct board_answer *answer)
{
    DL_DELETE(answer->board->pending, answer);
    uv_close((uv_handle_t *)&answer->timer, on_answer_closed);
}

static void on_answer_due(uv_timer_t *timer)
{
    struct board_answer *answer = timer->data;
    board_answer(answer->board, answer->word);
    answer_close(answer);
}

static void board_answer_later(struct sim_board *board, const char *word, int64_t delay_ms)
{
    struct board_answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL)
        return;
    answer->board = board;
    answer->word = word;
    answer->timer.data = answer;
    uv_timer_init(&board->link.sim->loop, &answer->timer);
    uv_timer_start(&answer->timer, on_answer_due, (uint64_t)delay_ms, 0);
    DL_APPEND(board->pending, answer);
}

/* `word` has static storage. */
static void board_obey(struct sim_board *board, const char *word)
{
    const struct sim_options *options = board->link.sim->options;
    board->commands++;
    if (options->answer == 0)
        board->locked = strcmp(word, "lock") == 0;
    board_tell(board, BOARD_COMMAND, word);
    if (options->no_answer)
        return;
    if (options->answer_delay_ms > 0)
        board_answer_later(board, word, options->answer_delay_ms);
    else
        board_answer(board, word);
}

/* "hand_shake APP_ID DEVICE_ID STATE": the existing board reads only the last word. */
static void board_take_hand_shake(struct sim_board *board, const char *payload)
{
    const char *last = strrchr(payload, ' ');
    if (last != NULL && strcmp(last, " 0") == 0) {
        board->accepted = board->was_accepted = true;
        uv_timer_stop(&board->again);
        board_tell(board, BOARD_ACCEPTED, payload);
    } else {
        board->refusals++;
        board_tell(board, BOARD_REFUSED, payload);
    }
}

static void on_message(void *owner, const char *topic, const char *payload, size_t len,
                       bool retained)
{
    (void)topic;
    struct sim_board *board = owner;
    char shown[200];
    log_escape(shown, sizeof shown, payload, len);
    if (len == 4 && memcmp(payload, "lock", 4) == 0 && !retained)
        board_obey(board, "lock");
    else if (len == 6 && memcmp(payload, "unlock", 6) == 0 && !retained)
        board_obey(board, "unlock");
    else if (len > 11 && memcmp(payload, "hand_shake ", 11) == 0 && strlen(payload) == len)
        board_take_hand_shake(board, payload);
    else
        board_tell(board, BOARD_STRANGE, shown);
}

void board_open(struct sim_board *board)
{
    board->locked = true;
    board->link.topic = board->topic;
    board->link.owner = board;
    board->link.on_up = on_up;
    board->link.on_down = on_down;
    board->link.on_message = on_message;
    uv_timer_init(&board->link.sim->loop, &board->again);
    board->again.data = board;
    sim_link_open(&board->link);
}

void board_close(struct sim_board *board)
{
    while (board->pending != NULL)
        answer_close(board->pending);
    uv_close((uv_handle_t *)&board->again, NULL);
    sim_link_close(&board->link);
}
