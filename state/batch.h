/* SPDX-License-Identifier: MIT
 *
 * The changes of one or more turns, in order, to be kept in one transaction. Made on the loop,
 * handed whole to the storage thread, freed on the loop.
 */
#ifndef STATE_BATCH_H
#define STATE_BATCH_H

#include <stddef.h>

#include "server/base/err.h"
#include "state/records.h"

enum change_op { CHANGE_PUT, CHANGE_DELETE };

struct change {
    enum change_op op;
    enum record_kind kind;
    void *record; /* owned; for CHANGE_DELETE only the key columns count */
};

struct batch {
    struct change *changes;
    size_t count;
    size_t cap; /* private */
};

struct batch *batch_new(void);
void batch_free(struct batch *batch); /* NULL is fine */
/* Copies the record into the batch. ERR_NO_MEMORY leaves the batch as it was. */
enum err batch_add(struct batch *batch, enum change_op op, enum record_kind kind,
                   const void *record);
/* Takes the last change back. */
void batch_drop_last(struct batch *batch);

#endif
