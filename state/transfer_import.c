/* SPDX-License-Identifier: MIT
 *
 * A state document becomes one batch of puts. All of it is checked against the record table and the
 * rules below before anything is kept; the first mistake ends it, with its place in the cause. It
 * knows no store: what the batch does to what is there is its receiver's business.
 *
 * Not taken over: pictures (their files come with backup and restore), sessions and sign-in codes
 * (they belong to one browser and one server), and commands that had not ended when the document
 * was written (a command is never carried out late).
 */
#include "state/transfer.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/names.h"
#include "state/picture_priv.h"
#include "state/transfer_priv.h"

#define CUSTOM_MAX 65536 /* bytes of one custom value */
#define TOPICS_MAX 65536 /* bytes of one alert's topics */

/* What a text must be beyond fitting in. */
enum rule {
    RULE_ANY,
    RULE_FILLED,
    RULE_NAME, /* of a device, an app, a topic */
    RULE_NAME_OR_NONE,
    RULE_ID, /* one that the server made */
    RULE_ID_OR_NONE,
    RULE_HASH
};

static const char *const rule_texts[] = {
    [RULE_ANY] = "a text",
    [RULE_FILLED] = "a text that isn't empty",
    [RULE_NAME] = "a name without spaces, + or #, of at most 128 bytes",
    [RULE_NAME_OR_NONE] = "empty or a name without spaces, + or #, of at most 128 bytes",
    [RULE_ID] = "32 hexadecimal digits",
    [RULE_ID_OR_NONE] = "empty or 32 hexadecimal digits",
    [RULE_HASH] = "64 hexadecimal digits",
};

static const struct {
    enum record_kind kind;
    const char *column;
    enum rule rule;
} rules[] = {
    {REC_DEVICE, "id", RULE_NAME},
    {REC_DEVICE, "topic", RULE_NAME_OR_NONE},
    {REC_APP, "id", RULE_NAME},
    {REC_APP, "topic", RULE_NAME_OR_NONE},
    {REC_PAIR, "device_id", RULE_NAME},
    {REC_PAIR, "app_id", RULE_NAME},
    {REC_PAIR, "app_topic", RULE_NAME_OR_NONE},
    {REC_TOKEN, "hash", RULE_HASH},
    {REC_DATA, "key", RULE_FILLED},
    {REC_CUSTOM, "key", RULE_FILLED},
    {REC_COMMAND, "id", RULE_ID},
    {REC_COMMAND, "device_id", RULE_NAME},
    {REC_COMMAND, "word", RULE_FILLED},
    {REC_ALERT, "id", RULE_ID},
    {REC_ALERT, "capability", RULE_ID},
    {REC_ALERT, "picture_id", RULE_ID_OR_NONE},
    {REC_PICTURE, "id", RULE_ID},
    {REC_PICTURE, "alert_id", RULE_ID_OR_NONE},
    {REC_PICTURE, "sha256", RULE_HASH},
};

/* Where in the document a check is: "devices[3].topic". */
struct place {
    enum record_kind kind;
    size_t index;
    const char *member;
};

static enum err wrong(const struct place *place, struct cause *cause, const char *expected)
{
    return cause_set(cause, ERR_BAD_INPUT, "%s[%zu].%s: expected %s",
                     record_types[place->kind].table, place->index, place->member, expected);
}

static enum rule find_rule(const struct place *place)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].kind == place->kind && strcmp(rules[i].column, place->member) == 0)
            return rules[i].rule;
    return RULE_ANY;
}

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

static bool rule_holds(enum rule rule, const char *text)
{
    switch (rule) {
    case RULE_ANY:
        return true;
    case RULE_FILLED:
        return text[0] != '\0';
    case RULE_NAME_OR_NONE:
        return text[0] == '\0' || name_is_valid(text, strlen(text));
    case RULE_NAME:
        return name_is_valid(text, strlen(text));
    case RULE_ID_OR_NONE:
        return text[0] == '\0' || picture_id_is_valid(text);
    case RULE_ID:
        return picture_id_is_valid(text);
    case RULE_HASH:
        return is_hex(text, SECRET_SHA256_SIZE - 1);
    }
    return false;
}

static enum err read_text(const struct place *place, const struct column *column,
                          const struct json *value, char *out, struct cause *cause)
{
    char expected[160];
    const char *text = json_str(value);
    enum rule rule = find_rule(place);
    if (text == NULL || !rule_holds(rule, text))
        return wrong(place, cause, rule_texts[rule]);
    size_t len = strlen(text);
    if (len >= column->size) {
        snprintf(expected, sizeof expected, "at most %zu bytes", column->size - 1);
        return wrong(place, cause, expected);
    }
    memcpy(out, text, len + 1);
    return ERR_OK;
}

static enum err read_json(const struct place *place, const struct json *value, char **out,
                          struct cause *cause)
{
    char *text = json_print(value);
    if (text == NULL)
        return ERR_NO_MEMORY;
    if (strlen(text) > CUSTOM_MAX) {
        free(text);
        return wrong(place, cause, "a value of at most 64 KB");
    }
    *out = text;
    return ERR_OK;
}

static enum err read_list(const struct place *place, const struct json *value, char **out,
                          struct cause *cause)
{
    struct buf text;
    if (json_type(value) != JSON_ARRAY)
        return wrong(place, cause, "a list of topics");
    buf_init(&text, TOPICS_MAX);
    for (const struct json *item = json_first(value); item != NULL; item = json_next(item)) {
        const char *name = json_str(item);
        if (name == NULL || !name_is_valid(name, strlen(name))) {
            buf_free(&text);
            return wrong(place, cause, "a list of topics");
        }
        if (text.len > 0)
            buf_add_str(&text, " ");
        buf_add_str(&text, name);
    }
    enum err result = buf_error(&text);
    if (result == ERR_TOO_LARGE)
        result = wrong(place, cause, "a list of topics of at most 64 KB");
    *out = text.len > 0 ? buf_take(&text) : strdup("");
    if (result == ERR_OK && *out == NULL)
        result = ERR_NO_MEMORY;
    buf_free(&text);
    return result;
}

static enum err read_int(const struct place *place, const struct column *column,
                         const struct json *value, int64_t *out, struct cause *cause)
{
    if (transfer_column_is_time(column)) {
        if (json_type(value) == JSON_NULL) {
            *out = 0;
            return ERR_OK;
        }
        const char *text = json_str(value);
        if (text == NULL || clock_parse_rfc3339(text, out) != ERR_OK || *out < 0)
            return wrong(place, cause, "null or a time such as 2026-01-02T03:04:05.678Z");
        return ERR_OK;
    }
    if (!json_int(value, out) || *out < (column->key ? 1 : 0))
        return wrong(place, cause, column->key ? "a whole number from 1" : "a whole number from 0");
    return ERR_OK;
}

static enum err read_enum(const struct place *place, const struct column *column,
                          const struct json *value, int *out, struct cause *cause)
{
    const char *name = json_str(value);
    struct buf expected;
    for (int i = 0; name != NULL && column->names[i] != NULL; i++)
        if (strcmp(column->names[i], name) == 0) {
            *out = i;
            return ERR_OK;
        }
    buf_init(&expected, 256);
    buf_add_str(&expected, "one of");
    for (int i = 0; column->names[i] != NULL; i++)
        buf_addf(&expected, "%s %s", i > 0 ? "," : "", column->names[i]);
    wrong(place, cause, expected.data != NULL ? expected.data : "a name");
    buf_free(&expected);
    return ERR_BAD_INPUT;
}

static enum err read_member(const struct place *place, const struct column *column,
                            const struct json *value, void *record, struct cause *cause)
{
    void *member = (char *)record + column->offset;
    switch (column->type) {
    case COLUMN_TEXT:
        return read_text(place, column, value, member, cause);
    case COLUMN_TEXT_PTR:
        return transfer_column_is_json(place->kind, column)
                   ? read_json(place, value, member, cause)
                   : read_list(place, value, member, cause);
    case COLUMN_INT:
        return read_int(place, column, value, member, cause);
    case COLUMN_ENUM:
        return read_enum(place, column, value, member, cause);
    case COLUMN_BOOL:
        if (json_type(value) != JSON_BOOL)
            return wrong(place, cause, "true or false");
        *(bool *)member = json_bool(value);
        return ERR_OK;
    }
    return ERR_INTERNAL;
}

static const struct column *find_column(enum record_kind kind, const char *name)
{
    for (const struct column *column = record_types[kind].columns; column->name != NULL; column++)
        if (strcmp(column->name, name) == 0)
            return column;
    return NULL;
}

/* Fills a zeroed record; the caller clears it, also after an error. A column that is missing keeps
 * its zero, so that a document of an older version still serves; a key is never missing. */
static enum err read_record(struct place *place, const struct json *object, void *record,
                            struct cause *cause)
{
    const struct record_type *type = &record_types[place->kind];
    if (json_type(object) != JSON_OBJECT)
        return cause_set(cause, ERR_BAD_INPUT, "%s[%zu]: expected an object", type->table,
                         place->index);
    for (const struct json *value = json_first(object); value != NULL; value = json_next(value)) {
        const struct column *column = find_column(place->kind, json_name(value));
        place->member = json_name(value);
        if (column == NULL)
            return cause_set(cause, ERR_BAD_INPUT, "%s[%zu].%s: there is no such member",
                             type->table, place->index, place->member);
        enum err result = read_member(place, column, value, record, cause);
        if (result != ERR_OK)
            return result;
    }
    for (const struct column *column = type->columns; column->name != NULL; column++) {
        place->member = column->name;
        void *member = (char *)record + column->offset;
        bool missing = json_get(object, column->name) == NULL;
        if (missing && (column->key || !rule_holds(find_rule(place), "")))
            return wrong(place, cause, "it to be there");
        if (column->type == COLUMN_TEXT_PTR && *(char **)member == NULL &&
            (*(char **)member = strdup(place->kind == REC_CUSTOM ? "null" : "")) == NULL)
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* What is checked like everything else but not taken over. */
static bool is_skipped(enum record_kind kind, const void *record, struct import_report *report)
{
    if (kind == REC_TOKEN && ((const struct token *)record)->kind != TOKEN_BEARER) {
        const struct token *token = record;
        transfer_skip(report, "token %s: sessions and sign-in codes are not taken over",
                      token->prefix);
        return true;
    }
    if (kind == REC_COMMAND && !command_state_is_end(((const struct command *)record)->state)) {
        const struct command *command = record;
        transfer_skip(report, "command %s: it had not ended, and none is carried out late",
                      command->id);
        return true;
    }
    return kind == REC_PICTURE;
}

static int compare_keys(const void *a, const void *b, void *arg)
{
    const struct change *const *left = a, *const *right = b;
    const struct column *column = arg;
    int order = 0;
    for (; order == 0 && column->name != NULL && column->key; column++) {
        const char *first = (const char *)(*left)->record + column->offset;
        const char *second = (const char *)(*right)->record + column->offset;
        if (column->type == COLUMN_TEXT) {
            order = strcmp(first, second);
        } else {
            int64_t one = *(const int64_t *)(const void *)first;
            int64_t other = *(const int64_t *)(const void *)second;
            order = (one > other) - (one < other);
        }
    }
    return order;
}

/* The records of one kind from `from` on must have different keys. */
static enum err check_unique(const struct batch *batch, size_t from, enum record_kind kind,
                             struct cause *cause)
{
    size_t count = batch->count - from;
    const struct column *key = record_types[kind].columns;
    if (count < 2)
        return ERR_OK;
    const struct change **sorted = malloc(count * sizeof *sorted);
    if (sorted == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &batch->changes[from + i];
    qsort_r(sorted, count, sizeof *sorted, compare_keys, (void *)(uintptr_t)key);
    enum err result = ERR_OK;
    for (size_t i = 1; result == ERR_OK && i < count; i++) {
        if (compare_keys(&sorted[i - 1], &sorted[i], (void *)(uintptr_t)key) != 0)
            continue;
        const char *text = (const char *)sorted[i]->record + key->offset;
        result = cause_set(cause, ERR_BAD_INPUT, "%s: %s \"%s\" is there twice",
                           record_types[kind].table, key->name,
                           key->type == COLUMN_TEXT ? text : "(a number)");
    }
    free(sorted);
    return result;
}

static enum err read_list_of(enum record_kind kind, const struct json *list, struct batch *batch,
                             struct import_report *report, struct cause *cause)
{
    struct place place = {.kind = kind};
    size_t from = batch->count;
    if (json_type(list) != JSON_ARRAY)
        return cause_set(cause, ERR_BAD_INPUT, "%s: expected a list", record_types[kind].table);
    void *record = calloc(1, record_types[kind].size);
    enum err result = record == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (const struct json *item = json_first(list); result == ERR_OK && item != NULL;
         item = json_next(item), place.index++) {
        memset(record, 0, record_types[kind].size);
        result = read_record(&place, item, record, cause);
        if (result == ERR_OK && !is_skipped(kind, record, report))
            result = transfer_put(batch, report, kind, record, cause);
        record_clear(kind, record);
    }
    free(record);
    if (result == ERR_OK && kind == REC_PICTURE && place.index > 0)
        transfer_skip(report, "pictures: %zu; their files come with backup and restore",
                      place.index);
    return result == ERR_OK ? check_unique(batch, from, kind, cause) : result;
}

static int find_kind(const char *table)
{
    for (int kind = 0; kind < REC_KINDS; kind++)
        if (record_types[kind].exported && strcmp(record_types[kind].table, table) == 0)
            return kind;
    return -1;
}

static enum err check_head(const struct json *document, struct cause *cause)
{
    int64_t version = 0, exported_at;
    const char *format = json_str(json_get(document, "format"));
    if (format == NULL || strcmp(format, STATE_FORMAT) != 0)
        return cause_set(cause, ERR_BAD_INPUT,
                         "this is neither a state document (\"format\": \"" STATE_FORMAT
                         "\") nor the Python server's config.json");
    if (!json_int(json_get(document, "version"), &version) || version < 1)
        return cause_set(cause, ERR_BAD_INPUT, "version: expected a whole number from 1");
    if (version > STATE_VERSION)
        return cause_set(cause, ERR_NEWER,
                         "the document has version %lld and this program reads up to %d: import "
                         "it with the program that wrote it, or a newer one",
                         (long long)version, STATE_VERSION);
    const struct json *at = json_get(document, "exported_at");
    if (at != NULL &&
        (json_str(at) == NULL || clock_parse_rfc3339(json_str(at), &exported_at) != ERR_OK))
        return cause_set(cause, ERR_BAD_INPUT, "exported_at: expected a time");
    return ERR_OK;
}

static enum err import_state(const struct json *document, struct batch *batch,
                             struct import_report *report, struct cause *cause)
{
    enum err result = check_head(document, cause);
    for (const struct json *member = json_first(document); result == ERR_OK && member != NULL;
         member = json_next(member)) {
        const char *name = json_name(member);
        int kind = find_kind(name);
        if (kind >= 0)
            result = read_list_of((enum record_kind)kind, member, batch, report, cause);
        else if (strcmp(name, "format") != 0 && strcmp(name, "version") != 0 &&
                 strcmp(name, "exported_at") != 0)
            result = cause_set(cause, ERR_BAD_INPUT, "%s: there is no such member", name);
    }
    return result == ERR_OK ? transfer_check_topics(batch, cause) : result;
}

void transfer_skip(struct import_report *report, const char *format, ...)
{
    char line[512];
    size_t index = report->skipped_count++;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (index < sizeof report->skipped / sizeof *report->skipped)
        log_escape(report->skipped[index], sizeof *report->skipped, line, strlen(line));
}

enum err transfer_put(struct batch *batch, struct import_report *report, enum record_kind kind,
                      const void *record, struct cause *cause)
{
    enum err result = batch_add(batch, CHANGE_PUT, kind, record);
    if (result != ERR_OK)
        return cause_set(cause, result, "there is no memory for the document");
    report->records[kind]++;
    return ERR_OK;
}

enum err transfer_import(const struct json *document, int64_t now_at, struct batch **out,
                         struct import_report *report, struct cause *cause)
{
    memset(report, 0, sizeof *report);
    if (json_type(document) != JSON_OBJECT)
        return cause_set(cause, ERR_BAD_INPUT, "the document is no JSON object");
    struct batch *batch = batch_new();
    if (batch == NULL)
        return cause_set(cause, ERR_NO_MEMORY, "there is no memory for the document");
    enum err result = transfer_is_python(document)
                          ? transfer_import_python(document, now_at, batch, report, cause)
                          : import_state(document, batch, report, cause);
    if (result != ERR_OK) {
        if (result == ERR_NO_MEMORY)
            cause_set(cause, result, "there is no memory for the document");
        batch_free(batch);
        return result;
    }
    *out = batch;
    return ERR_OK;
}
