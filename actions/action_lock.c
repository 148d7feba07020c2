/* SPDX-License-Identifier: MIT
 *
 * lock [DEVICE_ID [APP_ID [TIME...]]]     "lock device app 2020-07-31 11:03:20.123456"
 *
 * Locks one device, or with no id or `*` every device. TIME is the phone's own and not used.
 */
#include "actions/command.h"

static enum err lock_exec(struct action_context *context)
{
    const struct words *words = context->request->words;
    return command_request(context, words->count > 1 ? words->word[1] : NULL,
                           words->count > 2 ? words->word[2] : NULL);
}

const struct action action_lock = {
    .word = "lock",
    .grammar = "[DEVICE_ID [APP_ID [TIME...]]]",
    .help = "Lock one device, or all of them.",
    .command_class = CLASS_SAFE,
    .role = ROLE_MEMBER,
    .need = NEED_ALL,
    .min_args = 0,
    .max_args = 4,
    .exec = lock_exec,
};
