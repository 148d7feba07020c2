/* SPDX-License-Identifier: MIT
 *
 * The whole state as one JSON document, streamed record by record. What it writes follows from the
 * record table alone; the same rows give the same bytes.
 */
#include "state/transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "state/store_priv.h"
#include "state/transfer_priv.h"

#define RECORD_MAX ((size_t)1 << 20) /* as JSON; the largest is a custom value of 64 KB */

bool transfer_column_is_time(const struct column *column)
{
    size_t len = strlen(column->name);
    return column->type == COLUMN_INT && len > 3 && strcmp(column->name + len - 3, "_at") == 0;
}

bool transfer_column_is_json(enum record_kind kind, const struct column *column)
{
    return kind == REC_CUSTOM && column->type == COLUMN_TEXT_PTR;
}

/* Its text is names with one space between, written as an array of strings: an alert's topics. */
static bool transfer_column_is_list(enum record_kind kind, const struct column *column)
{
    return kind == REC_ALERT && column->type == COLUMN_TEXT_PTR;
}

/* Printed again, so that its bytes don't depend on how it was first written. */
static enum err add_json(struct buf *out, const char *text, struct cause *cause)
{
    struct json *value = NULL;
    enum err result = json_parse(text, strlen(text), &json_limits_file, &value, cause);
    if (result != ERR_OK)
        return result == ERR_NO_MEMORY ? result : ERR_CORRUPT;
    char *printed = json_print(value);
    json_free(value);
    if (printed == NULL)
        return ERR_NO_MEMORY;
    buf_add_str(out, printed);
    free(printed);
    return ERR_OK;
}

static void add_list(struct buf *out, const char *text)
{
    const char *separator = "";
    buf_add_str(out, "[");
    while (*text != '\0') {
        char item[NAME_SIZE];
        size_t len = strcspn(text, " ");
        text_copy(item, sizeof item, text, len);
        if (len > 0) {
            buf_add_str(out, separator);
            buf_add_json_str(out, item);
            separator = ", ";
        }
        text += len + (text[len] == ' ');
    }
    buf_add_str(out, "]");
}

static void add_int(struct buf *out, const struct column *column, int64_t value)
{
    char time[CLOCK_TEXT_MAX];
    if (!transfer_column_is_time(column))
        buf_addf(out, "%" PRId64, value);
    else if (value == 0)
        buf_add_str(out, "null");
    else
        buf_addf(out, "\"%s\"", clock_rfc3339(value, time));
}

static enum err add_value(struct buf *out, enum record_kind kind, const struct column *column,
                          const void *record, struct cause *cause)
{
    const void *member = (const char *)record + column->offset;
    const char *text;
    switch (column->type) {
    case COLUMN_TEXT:
        buf_add_json_str(out, member);
        break;
    case COLUMN_TEXT_PTR:
        text = *(char *const *)member;
        if (transfer_column_is_json(kind, column))
            return add_json(out, text != NULL ? text : "null", cause);
        if (transfer_column_is_list(kind, column))
            add_list(out, text != NULL ? text : "");
        else
            buf_add_json_str(out, text != NULL ? text : "");
        break;
    case COLUMN_INT:
        add_int(out, column, *(const int64_t *)member);
        break;
    case COLUMN_BOOL:
        buf_add_str(out, *(const bool *)member ? "true" : "false");
        break;
    case COLUMN_ENUM:
        buf_add_json_str(out, column->names[*(const int *)member]);
        break;
    }
    return ERR_OK;
}

static enum err add_record(struct buf *out, enum record_kind kind, const void *record,
                           struct cause *cause)
{
    enum err result = ERR_OK;
    const struct column *columns = record_types[kind].columns;
    for (const struct column *column = columns; result == ERR_OK && column->name != NULL;
         column++) {
        buf_add_str(out, column == columns ? "{" : ", ");
        buf_add_json_str(out, column->name);
        buf_add_str(out, ": ");
        result = add_value(out, kind, column, record, cause);
    }
    buf_add_str(out, "}");
    return result == ERR_OK ? buf_error(out) : result;
}

/* "ORDER BY device_id, app_id": the keys stand first in the table. */
static void order_by_keys(enum record_kind kind, char *out, size_t size)
{
    size_t len = 0;
    const char *separator = "ORDER BY ";
    for (const struct column *column = record_types[kind].columns;
         column->name != NULL && column->key && len < size; column++) {
        len += (size_t)snprintf(out + len, size - len, "%s%s", separator, column->name);
        separator = ", ";
    }
}

static enum err write_record(FILE *out, enum record_kind kind, const void *record, bool first,
                             struct cause *cause)
{
    struct buf text;
    buf_init(&text, RECORD_MAX);
    buf_add_str(&text, first ? "\n    " : ",\n    ");
    enum err result = add_record(&text, kind, record, cause);
    if (result == ERR_OK && fwrite(text.data, 1, text.len, out) != text.len)
        result = cause_set(cause, folder_err(errno), "the document can't be written: %s",
                           strerror(errno));
    buf_free(&text);
    return result;
}

static enum err write_list(struct sqlite3 *db, FILE *out, enum record_kind kind,
                           struct cause *cause)
{
    char order[128] = "";
    struct sqlite3_stmt *stmt = NULL;
    order_by_keys(kind, order, sizeof order);
    if (store_prepare_select(db, kind, order, &stmt) != SQLITE_OK)
        return store_db_error(db, "reading the state", cause);
    void *record = calloc(1, record_types[kind].size);
    enum err result = record == NULL ? ERR_NO_MEMORY : ERR_OK;
    bool first = true;
    int step = SQLITE_DONE;
    fprintf(out, ",\n  \"%s\": [", record_types[kind].table);
    while (result == ERR_OK && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        memset(record, 0, record_types[kind].size);
        result = store_read_row(stmt, kind, record);
        if (result == ERR_OK)
            result = write_record(out, kind, record, first, cause);
        else
            cause_set(cause, result, "a row of %s can't be read", record_types[kind].table);
        record_clear(kind, record);
        first = false;
    }
    if (result == ERR_OK && step != SQLITE_DONE)
        result = store_db_error(db, "reading the state", cause);
    fputs(first ? "]" : "\n  ]", out);
    sqlite3_finalize(stmt);
    free(record);
    return result;
}

static enum err write_document(struct sqlite3 *db, FILE *out, int64_t now_at, struct cause *cause)
{
    char time[CLOCK_TEXT_MAX];
    /* One transaction: all lists are of the same moment, whatever is committed meanwhile. */
    if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return store_db_error(db, "reading the state", cause);
    fprintf(out, "{\n  \"format\": \"%s\",\n  \"version\": %d,\n  \"exported_at\": \"%s\"",
            STATE_FORMAT, STATE_VERSION, clock_rfc3339(now_at, time));
    enum err result = ERR_OK;
    for (int kind = 0; result == ERR_OK && kind < REC_KINDS; kind++)
        if (record_types[kind].exported)
            result = write_list(db, out, (enum record_kind)kind, cause);
    fputs("\n}\n", out);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    errno = 0;
    if (result == ERR_OK && (fflush(out) != 0 || ferror(out)))
        result = cause_set(cause, folder_err(errno), "the document can't be written: %s",
                           errno != 0 ? strerror(errno) : "an earlier write failed");
    return result;
}

enum err transfer_export(const char *data_dir, FILE *out, int64_t now_at, struct cause *cause)
{
    char path[PATH_MAX];
    struct sqlite3 *db = NULL;
    enum err result = transfer_path(path, data_dir, STORE_FILE, cause);
    if (result == ERR_OK)
        result = store_open_readonly(path, &db, cause);
    if (result != ERR_OK)
        return result;
    result = write_document(db, out, now_at, cause);
    sqlite3_close(db);
    return result;
}
