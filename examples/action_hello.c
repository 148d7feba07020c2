/* SPDX-License-Identifier: MIT
 *
 * hello DEVICE_ID APP_TOPIC     "hello device app"
 *
 * The example of CONTRIBUTING.md, "Adding an action": answers `hello from DEVICE_ID` to an app that
 * is paired with the device. Copy it to actions/action_NAME.c and name its row in
 * actions/action_table.c. The answer rule decides where the text may go: here to no app topic that
 * isn't paired with the device, and never to a device.
 */
#include <stdio.h>

#include "actions/action.h"

static enum err hello_exec(struct action_context *context)
{
    const struct words *words = context->request->words;
    context->concerned = words->word[1];
    if (asprintf(&context->reply, "%s hello from %s", words->word[2], words->word[1]) < 0) {
        context->reply = NULL;
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

const struct action action_hello = {
    .word = "hello",
    .grammar = "DEVICE_ID APP_TOPIC",
    .help = "Greet an app in a device's name.",
    .command_class = CLASS_NONE,
    .role = ROLE_MEMBER,
    .need = NEED_ALL,
    .min_args = 2,
    .max_args = 2,
    .exec = hello_exec,
};
