/* SPDX-License-Identifier: MIT
 *
 * SQL made from the record table, and rows to and from record structs. It knows no connection, no
 * thread and no file.
 */
#include "state/store_priv.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"

#define SQL_MAX 4096

static int prepare(struct sqlite3 *db, struct buf *sql, struct sqlite3_stmt **out)
{
    int rc = SQLITE_NOMEM;
    if (buf_error(sql) == ERR_OK)
        rc = sqlite3_prepare_v3(db, sql->data, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    buf_free(sql);
    return rc;
}

static void add_names(struct buf *sql, const struct column *columns, bool keys_only)
{
    for (const struct column *c = columns; c->name != NULL && (c->key || !keys_only); c++)
        buf_addf(sql, "%s\"%s\"", c == columns ? "" : ", ", c->name);
}

int store_prepare_select(struct sqlite3 *db, enum record_kind kind, const char *where_and_order,
                         struct sqlite3_stmt **out)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    buf_add_str(&sql, "SELECT ");
    add_names(&sql, record_types[kind].columns, false);
    buf_addf(&sql, " FROM %s %s", record_types[kind].table,
             where_and_order == NULL ? "" : where_and_order);
    return prepare(db, &sql, out);
}

int store_prepare_put(struct sqlite3 *db, enum record_kind kind, struct sqlite3_stmt **out)
{
    const struct record_type *type = &record_types[kind];
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    buf_addf(&sql, "INSERT INTO %s (", type->table);
    add_names(&sql, type->columns, false);
    buf_add_str(&sql, ") VALUES (");
    for (const struct column *c = type->columns; c->name != NULL; c++)
        buf_add_str(&sql, c == type->columns ? "?" : ", ?");
    buf_add_str(&sql, ") ON CONFLICT (");
    add_names(&sql, type->columns, true);
    buf_add_str(&sql, ") DO UPDATE SET ");
    const char *comma = "";
    for (const struct column *c = type->columns; c->name != NULL; c++) {
        if (c->key)
            continue;
        buf_addf(&sql, "%s\"%s\" = excluded.\"%s\"", comma, c->name, c->name);
        comma = ", ";
    }
    return prepare(db, &sql, out);
}

int store_prepare_delete(struct sqlite3 *db, enum record_kind kind, struct sqlite3_stmt **out)
{
    const struct record_type *type = &record_types[kind];
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    buf_addf(&sql, "DELETE FROM %s", type->table);
    for (const struct column *c = type->columns; c->name != NULL && c->key; c++)
        buf_addf(&sql, "%s \"%s\" = ?", c == type->columns ? " WHERE" : " AND", c->name);
    return prepare(db, &sql, out);
}

static int bind_text(struct sqlite3_stmt *stmt, int at, const char *text)
{
    return sqlite3_bind_text(stmt, at, text == NULL ? "" : text, -1, SQLITE_STATIC);
}

static int bind_enum(struct sqlite3_stmt *stmt, int at, const struct column *column, int value)
{
    for (int i = 0; column->names[i] != NULL; i++)
        if (i == value)
            return bind_text(stmt, at, column->names[i]);
    return SQLITE_MISMATCH;
}

static int bind_column(struct sqlite3_stmt *stmt, int at, enum record_kind kind,
                       const struct column *column, const void *member)
{
    switch (column->type) {
    case COLUMN_TEXT:
        return bind_text(stmt, at, member);
    case COLUMN_TEXT_PTR:
        return bind_text(stmt, at, *(char *const *)member);
    case COLUMN_INT:
        /* A new row of the log of the door is numbered by the database. */
        if (kind == REC_DOOR_LOG && column->key && *(const int64_t *)member == 0)
            return sqlite3_bind_null(stmt, at);
        return sqlite3_bind_int64(stmt, at, *(const int64_t *)member);
    case COLUMN_BOOL:
        return sqlite3_bind_int(stmt, at, *(const bool *)member);
    case COLUMN_ENUM:
        return bind_enum(stmt, at, column, *(const int *)member);
    }
    return SQLITE_MISUSE;
}

int store_bind(struct sqlite3_stmt *stmt, enum record_kind kind, const void *record, bool keys_only)
{
    const struct column *columns = record_types[kind].columns;
    int at = 1;
    for (const struct column *c = columns; c->name != NULL && (c->key || !keys_only); c++) {
        int rc = bind_column(stmt, at++, kind, c, (const char *)record + c->offset);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* The text of a column with its length checked against the bytes: a NUL inside would cut it. */
static enum err row_text(struct sqlite3_stmt *stmt, int at, const char **text, size_t *len)
{
    if (sqlite3_column_type(stmt, at) != SQLITE_TEXT)
        return ERR_CORRUPT;
    *text = (const char *)sqlite3_column_text(stmt, at);
    if (*text == NULL)
        return ERR_NO_MEMORY;
    *len = (size_t)sqlite3_column_bytes(stmt, at);
    return strlen(*text) == *len ? ERR_OK : ERR_CORRUPT;
}

static enum err read_text(struct sqlite3_stmt *stmt, int at, const struct column *column,
                          void *member)
{
    const char *text;
    size_t len;
    enum err err = row_text(stmt, at, &text, &len);
    if (err != ERR_OK)
        return err;
    if (column->type == COLUMN_TEXT_PTR) {
        char **owned = member;
        *owned = strdup(text);
        return *owned == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    if (column->type == COLUMN_ENUM) {
        int value = 0;
        while (column->names[value] != NULL && strcmp(column->names[value], text) != 0)
            value++;
        *(int *)member = value;
        return column->names[value] != NULL ? ERR_OK : ERR_CORRUPT;
    }
    if (len >= column->size)
        return ERR_CORRUPT;
    memcpy(member, text, len + 1);
    return ERR_OK;
}

static enum err read_int(struct sqlite3_stmt *stmt, int at, const struct column *column,
                         void *member)
{
    if (sqlite3_column_type(stmt, at) != SQLITE_INTEGER)
        return ERR_CORRUPT;
    int64_t value = sqlite3_column_int64(stmt, at);
    if (column->type == COLUMN_INT)
        *(int64_t *)member = value;
    else if (value == 0 || value == 1)
        *(bool *)member = value == 1;
    else
        return ERR_CORRUPT;
    return ERR_OK;
}

enum err store_read_row(struct sqlite3_stmt *stmt, enum record_kind kind, void *record)
{
    int at = 0;
    for (const struct column *c = record_types[kind].columns; c->name != NULL; c++, at++) {
        void *member = (char *)record + c->offset;
        bool is_int = c->type == COLUMN_INT || c->type == COLUMN_BOOL;
        enum err err = is_int ? read_int(stmt, at, c, member) : read_text(stmt, at, c, member);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}
