/* SPDX-License-Identifier: MIT
 *
 * lock_response STATE DEVICE_ID APP_ID     "lock_response 0 device app"
 *
 * The device's answer to `lock`. STATE 0 is success, as the boards mean it; anything else is not.
 * Old boards send it to the app's topic, where the server listens too.
 */
#include <string.h>

#include "actions/command.h"

static enum err lock_response_exec(struct action_context *context)
{
    const struct words *words = context->request->words;
    return command_answered(context, "lock", words->word[2], strcmp(words->word[1], "0") == 0);
}

const struct action action_lock_response = {
    .word = "lock_response",
    .grammar = "STATE DEVICE_ID APP_ID",
    .help = "A device's answer to lock; STATE 0 is success.",
    .command_class = CLASS_NONE,
    .role = ROLE_ADMIN,
    .need = NEED_ALL,
    .min_args = 3,
    .max_args = 3,
    .exec = lock_response_exec,
    .from_app_topic = true,
};
