/* SPDX-License-Identifier: MIT
 *
 * unlock [DEVICE_ID [APP_ID [TIME...]]]     "unlock device app 2020-07-31 11:03:20.123456"
 *
 * Unlocks one device, or with no id or `*` every device. TIME is the phone's own and not used.
 */
#include "actions/command.h"

static enum err unlock_exec(struct action_context *context)
{
    const struct words *words = context->request->words;
    return command_request(context, words->count > 1 ? words->word[1] : NULL,
                           words->count > 2 ? words->word[2] : NULL);
}

const struct action action_unlock = {
    .word = "unlock",
    .grammar = "[DEVICE_ID [APP_ID [TIME...]]]",
    .help = "Unlock one device, or all of them.",
    .command_class = CLASS_UNSAFE,
    .role = ROLE_MEMBER,
    .need = NEED_ALL,
    .min_args = 0,
    .max_args = 4,
    .exec = unlock_exec,
};
