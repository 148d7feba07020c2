/* SPDX-License-Identifier: MIT */
#include "tests/unit/state/store_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "state/store_priv.h"
#include "tests/unit/state/scratch.h"

enum err made_try_open(struct store_made *made, struct cause *cause)
{
    struct store_options options = {
        .data_dir = made->folder, .post = loop_queue_post(&made->queue), .now_at = MADE_NOW_AT};
    return store_open(&options, &made->store, cause);
}

void made_open(struct store_made *made)
{
    struct cause cause = {.text = ""};
    if (made_try_open(made, &cause) != ERR_OK)
        fail_msg("the store can't be opened: %s", cause.text);
}

void made_close(struct store_made *made)
{
    store_close(made->store);
    made->store = NULL;
    loop_queue_drain(&made->queue);
}

static int make(void **state, bool in_file)
{
    struct store_made *made = calloc(1, sizeof(*made));
    assert_non_null(made);
    loop_queue_init(&made->queue);
    if (in_file)
        made->folder = scratch_new();
    made_open(made);
    *state = made;
    return 0;
}

int store_made_in_memory(void **state)
{
    return make(state, false);
}

int store_made_in_file(void **state)
{
    return make(state, true);
}

int store_made_free(void **state)
{
    struct store_made *made = *state;
    made_close(made);
    loop_queue_close(&made->queue);
    if (made->folder != NULL)
        scratch_free(made->folder);
    free(made);
    return 0;
}

struct answer {
    bool come;
    enum err result;
    struct registry *fresh;
    enum record_kind kind;
    void **rows;
    size_t count;
    struct store_made *made;
    const char *sql;
    char *text;
};

static void answered(void *arg, enum err result)
{
    struct answer *answer = arg;
    answer->result = result;
    answer->come = true;
}

enum err made_keep(struct store_made *made, const struct batch *batch)
{
    struct answer answer = {.come = false};
    store_keep(made->store, batch, answered, &answer);
    loop_queue_wait(&made->queue, &answer.come);
    return answer.result;
}

static enum err keep_one(struct store_made *made, enum change_op op, enum record_kind kind,
                         const void *record)
{
    struct batch *batch = batch_new();
    assert_non_null(batch);
    assert_int_equal(batch_add(batch, op, kind, record), ERR_OK);
    enum err err = made_keep(made, batch);
    batch_free(batch);
    return err;
}

enum err made_put(struct store_made *made, enum record_kind kind, const void *record)
{
    return keep_one(made, CHANGE_PUT, kind, record);
}

enum err made_del(struct store_made *made, enum record_kind kind, const void *record)
{
    return keep_one(made, CHANGE_DELETE, kind, record);
}

enum err made_restore(struct store_made *made, const char *path)
{
    struct answer answer = {.come = false};
    store_restore(made->store, path, answered, &answer);
    loop_queue_wait(&made->queue, &answer.come);
    return answer.result;
}

static void reloaded(void *arg, struct registry *fresh, enum err result)
{
    ((struct answer *)arg)->fresh = fresh;
    answered(arg, result);
}

struct registry *made_reload(struct store_made *made)
{
    struct answer answer = {.come = false};
    store_reload(made->store, reloaded, &answer);
    loop_queue_wait(&made->queue, &answer.come);
    assert_int_equal(answer.result, ERR_OK);
    assert_non_null(answer.fresh);
    return answer.fresh;
}

struct device made_device(const char *id)
{
    struct device device = {.created_at = 1};
    snprintf(device.id, sizeof(device.id), "%s", id);
    return device;
}

enum err made_put_device(struct store_made *made, const char *id)
{
    struct device device = made_device(id);
    return made_put(made, REC_DEVICE, &device);
}

bool made_has_device(struct store_made *made, const char *id)
{
    struct registry *fresh = made_reload(made);
    bool has = registry_device(fresh, id) != NULL;
    registry_free(fresh);
    return has;
}

static void rows_came(void *arg, void *const *rows, size_t count, enum err result)
{
    struct answer *answer = arg;
    for (size_t i = 0; i < count; i++) {
        answer->rows[i] = record_copy(answer->kind, rows[i]);
        assert_non_null(answer->rows[i]);
    }
    answer->count = count;
    answered(arg, result);
}

size_t made_query(struct store_made *made, const struct store_query *query, void **rows,
                  enum err *result)
{
    struct answer answer = {.rows = rows, .kind = query->kind};
    store_query(made->store, query, rows_came, &answer);
    loop_queue_wait(&made->queue, &answer.come);
    *result = answer.result;
    return answer.count;
}

static void came(void *arg)
{
    answered(arg, ERR_OK);
}

static void run_sql(void *arg, struct sqlite3 *db)
{
    struct answer *answer = arg;
    struct sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, answer->sql, -1, &stmt, NULL) != SQLITE_OK)
        print_error("%s: %s\n", answer->sql, sqlite3_errmsg(db));
    else if (sqlite3_step(stmt) == SQLITE_ROW && answer->text != NULL)
        snprintf(answer->text, 256, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    struct post post = loop_queue_post(&answer->made->queue);
    post_send(&post, came, answer);
}

void made_sql(struct store_made *made, const char *sql, char text[static 256])
{
    struct answer answer = {.made = made, .sql = sql, .text = text};
    text[0] = '\0';
    assert_int_equal(store_on_storage_thread(made->store, run_sql, &answer), ERR_OK);
    loop_queue_wait(&made->queue, &answer.come);
}

/* Up to `size` - 1 bytes of characters of one to four bytes, and the ones that break SQL. */
static void fill_text(char *text, size_t size)
{
    static const char *const pieces[] = {"a",
                                         "Z",
                                         "0",
                                         " ",
                                         "'",
                                         "\"",
                                         ";",
                                         "--",
                                         "%",
                                         "\xC3\xBC",
                                         "\xE2\x82\xAC",
                                         "\xF0\x9F\x94\x91"};
    size_t want = (size_t)rand() % size, at = 0;
    for (;;) {
        const char *piece = pieces[(size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]))];
        size_t len = strlen(piece);
        if (at + len > want)
            break;
        memcpy(text + at, piece, len);
        at += len;
    }
    text[at] = '\0';
}

static void fill_column(const struct column *column, void *member, unsigned number)
{
    char *text;
    int names = 0;
    switch (column->type) {
    case COLUMN_TEXT:
        if (column->key)
            snprintf(member, column->size, "k%u-\xC3\xBC", number);
        else
            fill_text(member, column->size);
        break;
    case COLUMN_TEXT_PTR:
        text = malloc(3000);
        assert_non_null(text);
        fill_text(text, 3000);
        *(char **)member = text;
        break;
    case COLUMN_INT:
        *(int64_t *)member =
            column->key ? number + 1 : ((int64_t)rand() << 31 | rand()) * (rand() % 2 ? 1 : -1);
        break;
    case COLUMN_BOOL:
        *(bool *)member = rand() % 2;
        break;
    case COLUMN_ENUM:
        while (column->names[names] != NULL)
            names++;
        *(int *)member = rand() % names;
        break;
    }
}

void record_fill(enum record_kind kind, void *record, unsigned number)
{
    for (const struct column *c = record_types[kind].columns; c->name != NULL; c++)
        fill_column(c, (char *)record + c->offset, number);
}

void records_assert_equal(enum record_kind kind, const void *a, const void *b)
{
    for (const struct column *c = record_types[kind].columns; c->name != NULL; c++) {
        const void *left = (const char *)a + c->offset, *right = (const char *)b + c->offset;
        switch (c->type) {
        case COLUMN_TEXT:
            assert_string_equal(left, right);
            break;
        case COLUMN_TEXT_PTR:
            assert_string_equal(*(char *const *)left, *(char *const *)right);
            break;
        case COLUMN_INT:
            assert_true(*(const int64_t *)left == *(const int64_t *)right);
            break;
        case COLUMN_BOOL:
            assert_int_equal(*(const bool *)left, *(const bool *)right);
            break;
        case COLUMN_ENUM:
            assert_int_equal(*(const int *)left, *(const int *)right);
            break;
        }
    }
}
