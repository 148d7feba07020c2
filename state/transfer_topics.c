/* SPDX-License-Identifier: MIT
 *
 * A topic belongs to one device or app: a document that gives it to two would have one door answer
 * to the other's name.
 */
#include <stdlib.h>
#include <string.h>

#include "state/transfer_priv.h"

struct holder {
    const char *topic, *id, *kind;
};

static int compare_topics(const void *a, const void *b)
{
    const struct holder *left = a, *right = b;
    return strcmp(left->topic, right->topic);
}

static size_t collect(const struct batch *batch, struct holder *holders)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct change *change = &batch->changes[i];
        const struct device *device = change->record;
        const struct app *app = change->record;
        struct holder holder = {NULL, NULL, NULL};
        if (change->kind == REC_DEVICE)
            holder = (struct holder){device->topic, device->id, "device"};
        else if (change->kind == REC_APP)
            holder = (struct holder){app->topic, app->id, "app"};
        if (holder.topic != NULL && holder.topic[0] != '\0')
            holders[count++] = holder;
    }
    return count;
}

enum err transfer_check_topics(const struct batch *batch, struct cause *cause)
{
    struct holder *holders = calloc(batch->count + 1, sizeof *holders);
    if (holders == NULL)
        return ERR_NO_MEMORY;
    size_t count = collect(batch, holders);
    qsort(holders, count, sizeof *holders, compare_topics);
    enum err result = ERR_OK;
    for (size_t i = 1; result == ERR_OK && i < count; i++) {
        const struct holder *one = &holders[i - 1], *other = &holders[i];
        if (strcmp(one->topic, other->topic) == 0)
            result =
                cause_set(cause, ERR_BAD_INPUT,
                          "the topic \"%s\" is that of %s \"%s\" and of %s \"%s\": give one of "
                          "them another",
                          one->topic, one->kind, one->id, other->kind, other->id);
    }
    free(holders);
    return result;
}
