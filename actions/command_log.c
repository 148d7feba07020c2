/* SPDX-License-Identifier: MIT
 *
 * The log of the door: each request and each end of a command is one row, in the same batch as what
 * it tells of. So an unlock whose row can't be kept does not happen.
 */
#include "actions/command_private.h"

#include <string.h>

enum err door_note(struct actions *actions, const struct door_note *note)
{
    struct door_log row = {.logged_at = actions_wall(actions), .allowed = note->allowed};
    const struct caller *caller = note->caller;
    text_set(row.who, sizeof row.who, caller ? caller->name : "server");
    text_set(row.way, sizeof row.way, caller ? caller->way : "server");
    text_set(row.source, sizeof row.source, caller ? caller->source : "");
    text_set(row.word, sizeof row.word, note->word);
    text_set(row.device_id, sizeof row.device_id, note->device_id);
    text_set(row.command_id, sizeof row.command_id, note->command_id);
    text_set(row.outcome, sizeof row.outcome, note->outcome);
    text_set(row.reason, sizeof row.reason, note->reason);
    return turn_put(actions->turn, REC_DOOR_LOG, &row);
}

void command_note_forbidden(struct actions *actions, const struct action *action,
                            const struct action_request *request)
{
    const struct words *words = request->words;
    struct door_note note = {.caller = &request->caller,
                             .word = action->word,
                             .device_id = words->count > 1 ? words->word[1] : "*",
                             .outcome = err_name(ERR_FORBIDDEN),
                             .reason = err_message(ERR_FORBIDDEN)};
    /* While changes are refused there is no row; what was asked for doesn't happen anyway. */
    (void)door_note(actions, &note);
}
