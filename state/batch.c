/* SPDX-License-Identifier: MIT
 *
 * A list of changes with copies of their records. It does not know what becomes of them.
 */
#include "state/batch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct batch *batch_new(void)
{
    return calloc(1, sizeof(struct batch));
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    while (batch->count > 0)
        batch_drop_last(batch);
    free(batch->changes);
    free(batch);
}

static enum err grow(struct batch *batch)
{
    size_t cap = batch->cap == 0 ? 16 : batch->cap * 2;
    if (cap > SIZE_MAX / sizeof(*batch->changes))
        return ERR_NO_MEMORY;
    struct change *changes = realloc(batch->changes, cap * sizeof(*changes));
    if (changes == NULL)
        return ERR_NO_MEMORY;
    batch->changes = changes;
    batch->cap = cap;
    return ERR_OK;
}

/* Of a record to be deleted nothing else need be set, not even owned texts. */
static void *copy_keys(enum record_kind kind, const void *record)
{
    const struct record_type *type = &record_types[kind];
    char *copy = calloc(1, type->size);
    if (copy == NULL)
        return NULL;
    for (const struct column *column = type->columns; column->name != NULL && column->key; column++)
        memcpy(copy + column->offset, (const char *)record + column->offset, column->size);
    return copy;
}

enum err batch_add(struct batch *batch, enum change_op op, enum record_kind kind,
                   const void *record)
{
    if (batch->count == batch->cap && grow(batch) != ERR_OK)
        return ERR_NO_MEMORY;
    void *copy = op == CHANGE_PUT ? record_copy(kind, record) : copy_keys(kind, record);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    batch->changes[batch->count++] = (struct change){op, kind, copy};
    return ERR_OK;
}

void batch_drop_last(struct batch *batch)
{
    struct change *last = &batch->changes[--batch->count];
    record_free(last->kind, last->record);
}
