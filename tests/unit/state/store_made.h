/* SPDX-License-Identifier: MIT
 *
 * A store for tests, asked and answered in one call, and random records of any kind.
 */
#ifndef TESTS_UNIT_STATE_STORE_MADE_H
#define TESTS_UNIT_STATE_STORE_MADE_H

#include "state/store.h"
#include "tests/unit/state/loop_queue.h"

#define MADE_NOW_AT INT64_C(1790000000000)

struct store_made {
    char *folder; /* NULL: in memory */
    struct loop_queue queue;
    struct store *store;
};

/* cmocka set-up and tear-down; *state is a struct store_made. */
int store_made_in_memory(void **state);
int store_made_in_file(void **state);
int store_made_free(void **state);

void made_close(struct store_made *made);
/* Opens the folder's database (again). */
enum err made_try_open(struct store_made *made, struct cause *cause);
void made_open(struct store_made *made);

enum err made_keep(struct store_made *made, const struct batch *batch);
/* One change in a batch of its own. */
enum err made_put(struct store_made *made, enum record_kind kind, const void *record);
enum err made_del(struct store_made *made, enum record_kind kind, const void *record);
/* A device of that id, and nothing else of it. */
struct device made_device(const char *id);
enum err made_put_device(struct store_made *made, const char *id);
bool made_has_device(struct store_made *made, const char *id); /* on disk, by a reload */
enum err made_restore(struct store_made *made, const char *path);
/* The receiver frees it. */
struct registry *made_reload(struct store_made *made);
/* Fills `rows` with copies (record_free) and returns how many; *result is the answer's. */
size_t made_query(struct store_made *made, const struct store_query *query, void **rows,
                  enum err *result);
/* Runs SQL on the storage thread and waits; `text` (may be NULL) gets the first row's first column.
 */
void made_sql(struct store_made *made, const char *sql, char text[static 256]);

/* A zeroed struct becomes one with random values in every column; `number` makes its key. */
void record_fill(enum record_kind kind, void *record, unsigned number);
/* Compares every column, by the record table. */
void records_assert_equal(enum record_kind kind, const void *a, const void *b);

#endif
