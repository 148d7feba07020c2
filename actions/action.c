/* SPDX-License-Identifier: MIT
 *
 * The table at work: look up the row, check who may, check the arguments, count, run. Refuses to
 * know what any action does.
 */
#include "actions/action.h"

#include <stdlib.h>
#include <string.h>

#include "actions/action_private.h"
#include "actions/alert.h"
#include "actions/command_private.h"
#include "server/base/log.h"

#define ACTION_LOG_BYTES 200 /* of a stranger's payload in one log line */

int64_t actions_wall(const struct actions *actions)
{
    return clock_wall_ms(actions->options.clock);
}

int64_t actions_boot(const struct actions *actions)
{
    return clock_boot_ms(actions->options.clock);
}

bool actions_link_up(const struct actions *actions)
{
    return actions->options.ports.link_up(actions->options.ports.owner);
}

struct registry *actions_registry(struct actions *actions)
{
    return turn_registry(actions->turn);
}

struct turn *actions_turn(struct actions *actions)
{
    return actions->turn;
}

const struct actions_options *actions_get_options(const struct actions *actions)
{
    return &actions->options;
}

void action_count(struct actions *actions, enum counter counter)
{
    actions->counters[counter]++;
}

uint64_t action_counter(const struct actions *actions, enum counter counter)
{
    return actions->counters[counter];
}

static const struct {
    const char *name, *help;
} counter_texts[COUNTERS] = {
#define COUNTER_TEXT(name, text, help) {text, help},
    COUNTER_LIST(COUNTER_TEXT)
#undef COUNTER_TEXT
};

const char *action_counter_name(enum counter counter)
{
    return counter_texts[counter].name;
}

const char *action_counter_help(enum counter counter)
{
    return counter_texts[counter].help;
}

const char *action_class_name(enum action_class command_class)
{
    static const char *const names[] = {"none", "unsafe", "safe", "config", "job", "query"};
    size_t index = (size_t)command_class;
    return index < sizeof names / sizeof names[0] ? names[index] : "?";
}

struct actions *actions_new(struct turn *turn, const struct actions_options *options)
{
    struct actions *actions = calloc(1, sizeof *actions);
    if (!actions)
        return NULL;
    actions->turn = turn;
    actions->options = *options;
    text_set(actions->server_topic, sizeof actions->server_topic, options->server_topic);
    actions->options.server_topic = actions->server_topic;
    actions->users = 1;
    actions->flight_due = actions->command_due = actions->alert_due = INT64_MAX;
    actions->walked_at = actions->alerts_walked_at = actions_boot(actions);
    for (size_t i = 0; action_table[i]; i++) {
        enum err err = action_register(actions, action_table[i]);
        if (err != ERR_OK) {
            log_error("actions", "the row of %s is no good: %s", action_table[i]->word,
                      err_message(err));
            actions_free(actions);
            return NULL;
        }
    }
    return actions;
}

void actions_free(struct actions *actions)
{
    if (!actions)
        return;
    actions->stopped = true;
    commands_free(actions);
    alerts_free(actions);
    HASH_CLEAR(hh, actions->by_word);
    for (size_t i = 0; i < actions->row_count; i++)
        free(actions->rows[i]);
    free(actions->rows);
    actions->rows = NULL;
    actions->row_count = 0;
    if (--actions->users == 0)
        free(actions);
}

static struct action_row *row_find(const struct actions *actions, const char *word)
{
    struct action_row *row = NULL;
    HASH_FIND_STR(actions->by_word, word, row);
    return row;
}

static bool rows_reserve(struct actions *actions)
{
    if (actions->row_count < actions->row_cap)
        return true;
    size_t cap = actions->row_cap ? 2 * actions->row_cap : 16;
    struct action_row **rows = realloc(actions->rows, cap * sizeof(struct action_row *));
    if (!rows)
        return false;
    actions->rows = rows;
    actions->row_cap = cap;
    return true;
}

enum err action_register(struct actions *actions, const struct action *row)
{
    if (!row || !row->word || !row->exec || !word_is_valid(row->word, strlen(row->word)))
        return ERR_BAD_INPUT;
    if (row_find(actions, row->word))
        return ERR_CONFLICT;
    struct action_row *added = rows_reserve(actions) ? calloc(1, sizeof *added) : NULL;
    if (!added)
        return ERR_NO_MEMORY;
    added->action = row;
    HASH_ADD_KEYPTR(hh, actions->by_word, row->word, strlen(row->word), added);
    if (!added->hh.tbl) {
        free(added);
        return ERR_NO_MEMORY;
    }
    actions->rows[actions->row_count++] = added;
    return ERR_OK;
}

const struct action *action_find(const struct actions *actions, const char *word)
{
    const struct action_row *row = row_find(actions, word);
    return row ? row->action : NULL;
}

const struct action *action_at(const struct actions *actions, size_t index)
{
    return index < actions->row_count ? actions->rows[index]->action : NULL;
}

uint64_t action_uses(const struct actions *actions, const char *word)
{
    const struct action_row *row = row_find(actions, word);
    return row ? row->uses : 0;
}

static bool caller_may(const struct actions *actions, const struct caller *caller,
                       const struct action *action)
{
    if (!caller->anonymous)
        return caller->role >= action->role;
    switch (actions->options.anonymous) {
    case ANONYMOUS_ALL:
        return true;
    case ANONYMOUS_HAND_SHAKE:
        return action->need == NEED_HAND_SHAKE;
    case ANONYMOUS_NOTHING:
        break;
    }
    return false;
}

static enum err row_check(struct actions *actions, const struct action *action,
                          const struct action_request *request)
{
    const struct caller *caller = &request->caller;
    if (!caller_may(actions, caller, action)) {
        action_count(actions, COUNTER_NOT_ALLOWED);
        log_info("actions", "%s by %s from %s (%s) is not allowed", action->word, caller->name,
                 caller->source, caller->way);
        if (action->command_class != CLASS_NONE)
            command_note_forbidden(actions, action, request);
        return ERR_FORBIDDEN;
    }
    size_t args = request->words->count - 1;
    if (args < action->min_args || args > action->max_args) {
        action_count(actions, COUNTER_BAD_ARGUMENTS);
        log_info("actions", "%zu arguments for: %s %s", args, action->word, action->grammar);
        return ERR_BAD_INPUT;
    }
    return ERR_OK;
}

static void row_run(struct actions *actions, struct action_row *row,
                    const struct action_request *request)
{
    const struct action *action = row->action;
    enum err result = row_check(actions, action, request);
    if (result != ERR_OK) {
        request_finish(actions, request, result);
        return;
    }
    row->uses++;
    struct action_context context = {
        .actions = actions, .turn = actions->turn, .action = action, .request = request};
    result = action->exec(&context);
    if (context.reply)
        action_reply(&context);
    free(context.reply);
    if (!context.takes_over_done)
        request_finish(actions, request, result);
}

/* The default action: counted and kept in the log. The log escapes what strangers write. */
static void run_default(struct actions *actions, const struct action_request *request)
{
    char text[ACTION_LOG_BYTES + 1];
    text_set(text, sizeof text, request->words->count ? request->words->rest[0] : "");
    action_count(actions, COUNTER_UNKNOWN_WORD);
    log_info("actions", "no action for: %s", text);
    request_finish(actions, request, ERR_NOT_FOUND);
}

void action_dispatch(struct actions *actions, const struct action_request *request)
{
    action_count(actions, COUNTER_MESSAGES);
    struct action_row *row =
        request->words->count ? row_find(actions, request->words->word[0]) : NULL;
    if (row)
        row_run(actions, row, request);
    else
        run_default(actions, request);
}

void action_payload(struct actions *actions, const struct caller *caller, const void *payload,
                    size_t len)
{
    struct words words;
    if (words_split(payload, len, &words) != ERR_OK) {
        action_count(actions, COUNTER_MESSAGES);
        action_count(actions, COUNTER_BAD_PAYLOAD);
        char text[4 * ACTION_LOG_BYTES];
        size_t shown = len < ACTION_LOG_BYTES ? len : ACTION_LOG_BYTES;
        log_info("actions", "a payload of %zu bytes is no text: %s", len,
                 log_escape(text, sizeof text, payload ? payload : "", payload ? shown : 0));
        return;
    }
    struct action_request request = {.caller = *caller, .words = &words};
    action_dispatch(actions, &request);
}

void action_app_payload(struct actions *actions, const struct caller *caller, const void *payload,
                        size_t len)
{
    struct words words;
    if (words_split(payload, len, &words) != ERR_OK)
        return;
    const struct action *action = action_find(actions, words.word[0]);
    if (!action || !action->from_app_topic)
        return;
    struct action_request request = {.caller = *caller, .words = &words};
    action_dispatch(actions, &request);
}
