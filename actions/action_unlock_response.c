/* SPDX-License-Identifier: MIT
 *
 * unlock_response STATE DEVICE_ID APP_ID     "unlock_response 0 device app"
 *
 * The device's answer to `unlock`. STATE 0 is success, as the boards mean it; anything else is not.
 * Old boards send it to the app's topic, where the server listens too.
 */
#include <string.h>

#include "actions/command.h"

static enum err unlock_response_exec(struct action_context *context)
{
    const struct words *words = context->request->words;
    return command_answered(context, "unlock", words->word[2], strcmp(words->word[1], "0") == 0);
}

const struct action action_unlock_response = {
    .word = "unlock_response",
    .grammar = "STATE DEVICE_ID APP_ID",
    .help = "A device's answer to unlock; STATE 0 is success.",
    .command_class = CLASS_NONE,
    .role = ROLE_ADMIN,
    .need = NEED_ALL,
    .min_args = 3,
    .max_args = 3,
    .exec = unlock_response_exec,
    .from_app_topic = true,
};
