/* SPDX-License-Identifier: MIT
 *
 * What the files of the store share, and what pictures and transfer may use of it. Never included
 * from outside state/. A connection belongs to one thread at a time.
 */
#ifndef STATE_STORE_PRIV_H
#define STATE_STORE_PRIV_H

#include <sqlite3.h>

#include "server/base/err.h"
#include "state/records.h"
#include "state/registry.h"
#include "state/store.h"

#define STORE_FILE "gatehouse.db" /* below data_dir */

/* --- connections (store_file.c) --- */

/* A read-only connection to the database file at `path` (DATA_DIR/gatehouse.db, beside a running
 * server or without one). Changes nothing in it, never checkpoints. ERR_NOT_FOUND, ERR_CORRUPT (not
 * a database of this program), ERR_NEWER, ERR_IO. sqlite3_close() when done. */
enum err store_open_readonly(const char *path, struct sqlite3 **out, struct cause *cause);
/* The same for a finished copy that nobody writes to (a backup): leaves nothing beside it, so it
 * may lie on a read-only medium. */
enum err store_open_copy(const char *path, struct sqlite3 **out, struct cause *cause);
/* A whole copy of `from` at `path` in rollback-journal mode: made under another name, synced,
 * renamed, mode 0600. Safe while others write to `from`. ERR_DISK_FULL, ERR_IO. */
enum err store_copy_to(struct sqlite3 *from, const char *path, struct cause *cause);
/* PRAGMA quick_check. ERR_CORRUPT with what it said. */
enum err store_quick_check(struct sqlite3 *db, struct cause *cause);
/* What a failed call on `db` means: ERR_DISK_FULL, ERR_CORRUPT or ERR_IO, with SQLite's own words
 * behind `doing` in the cause. */
enum err store_db_error(struct sqlite3 *db, const char *doing, struct cause *cause);

/* --- schema (store_schema.c) --- */

/* The version this program writes (PRAGMA user_version). */
int store_schema_version(void);
/* The version of an open database; ERR_CORRUPT when it isn't one of this program's, ERR_NEWER. */
enum err store_check_version(struct sqlite3 *db, const char *path, int *version,
                             struct cause *cause);
/* Brings an empty database, or one of version `from`, to the present version; each step is one
 * transaction with its user_version. */
enum err store_migrate(struct sqlite3 *db, int from, struct cause *cause);

/* Not `state IN (...)`: SQLite builds a table in memory for such a list each time it looks at a row
 * that may belong into the index. Queries name the states in the same way, or the index isn't used.
 */
#define STORE_OPEN_COMMAND "(state = 'queued' OR state = 'sent' OR state = 'delivered')"

/* --- SQL made from the record table (store_sql.c); each returns an SQLite result code --- */

/* SELECT of all columns; `where_and_order` is SQL text from code, "WHERE a = ? ORDER BY rowid", may
 * be NULL. The receiver finalizes. */
int store_prepare_select(struct sqlite3 *db, enum record_kind kind, const char *where_and_order,
                         struct sqlite3_stmt **out);
int store_prepare_put(struct sqlite3 *db, enum record_kind kind, struct sqlite3_stmt **out);
int store_prepare_delete(struct sqlite3 *db, enum record_kind kind, struct sqlite3_stmt **out);
/* Binds all columns (put) or the keys (delete) from parameter 1 on; the texts aren't copied. */
int store_bind(struct sqlite3_stmt *stmt, enum record_kind kind, const void *record,
               bool keys_only);
/* Reads the row a SELECT of store_prepare_select() stands on into a zeroed struct; the caller
 * record_clear()s it, also after an error. ERR_CORRUPT: a value that can't be of that column;
 * ERR_NO_MEMORY. */
enum err store_read_row(struct sqlite3_stmt *stmt, enum record_kind kind, void *record);

/* --- threads (store.c, store_query.c) --- */

/* Runs fn on the query thread with its read-only connection (in-memory stores: on the storage
 * thread with the only one). Nothing is answered: fn posts what it has to tell. When the store is
 * closing, fn is not run and ERR_STOPPING is returned. */
typedef void store_thread_fn(void *arg, struct sqlite3 *db);
enum err store_on_query_thread(struct store *store, store_thread_fn *fn, void *arg);
/* The same on the storage thread with the writing connection, between two batches; fn leaves no
 * transaction open. */
enum err store_on_storage_thread(struct store *store, store_thread_fn *fn, void *arg);

#endif
