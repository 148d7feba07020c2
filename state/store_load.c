/* SPDX-License-Identifier: MIT
 *
 * From the database into a registry: what is always in memory, and of commands and alerts those
 * that are open or were lately. In the order in which they were first kept.
 */
#include "state/store_own.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"

#define LATELY_MS 60000

/* The largest record there is. */
union any_record {
    struct meta meta;
    struct device device;
    struct app app;
    struct pair pair;
    struct token token;
    struct data_item data;
    struct custom custom;
    struct command command;
    struct alert alert;
};

static enum err load_rows(struct sqlite3_stmt *stmt, enum record_kind kind,
                          struct registry *registry, struct cause *cause)
{
    union any_record record;
    enum err err = ERR_OK;
    int rc;
    while (err == ERR_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        memset(&record, 0, record_types[kind].size);
        err = store_read_row(stmt, kind, &record);
        if (err == ERR_OK)
            err = registry_apply(registry, CHANGE_PUT, kind, &record);
        record_clear(kind, &record);
    }
    const char *table = record_types[kind].table;
    if (err == ERR_OK && rc != SQLITE_DONE)
        return store_db_error(sqlite3_db_handle(stmt), table, cause);
    if (err == ERR_CORRUPT)
        return cause_set(cause, err,
                         "the table %s has a row that gatehouse can't have written; restore a "
                         "backup (gatehouse restore DIR)",
                         table);
    if (err != ERR_OK)
        return cause_set(cause, err, "%s: %s", table, err_message(err));
    return ERR_OK;
}

static enum err load_kind(struct sqlite3 *db, enum record_kind kind, const char *where_and_order,
                          struct registry *registry, struct cause *cause)
{
    struct sqlite3_stmt *stmt = NULL;
    enum err err;
    if (store_prepare_select(db, kind, where_and_order, &stmt) != SQLITE_OK)
        err = store_db_error(db, record_types[kind].table, cause);
    else
        err = load_rows(stmt, kind, registry, cause);
    sqlite3_finalize(stmt);
    return err;
}

/* The rows that are open or of late, each found by its index: the table holds months of them. */
static void recent(char *sql, size_t size, const char *table, const char *open, int64_t now_at)
{
    snprintf(sql, size,
             "WHERE rowid IN (SELECT rowid FROM %s WHERE %s UNION"
             " SELECT rowid FROM %s WHERE created_at >= %" PRId64 ") ORDER BY rowid",
             table, open, table, now_at - LATELY_MS);
}

enum err store_load_from(struct sqlite3 *db, int64_t now_at, struct registry *registry,
                         struct cause *cause)
{
    static const enum record_kind whole[] = {REC_META,  REC_DEVICE, REC_APP,   REC_PAIR,
                                             REC_TOKEN, REC_DATA,   REC_CUSTOM};
    char commands[320], alerts[256];
    recent(commands, sizeof(commands), "commands", STORE_OPEN_COMMAND, now_at);
    recent(alerts, sizeof(alerts), "alerts", "sent_at = 0", now_at);
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < sizeof(whole) / sizeof(whole[0]); i++)
        err = load_kind(db, whole[i], "ORDER BY rowid", registry, cause);
    if (err == ERR_OK)
        err = load_kind(db, REC_COMMAND, commands, registry, cause);
    if (err == ERR_OK)
        err = load_kind(db, REC_ALERT, alerts, registry, cause);
    return err;
}

int64_t store_now(const struct store *store)
{
    struct clock clock;
    clock_init_system(&clock);
    return store->opened_at + clock_boot_ms(&clock) - store->opened_boot;
}
