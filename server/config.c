/* SPDX-License-Identifier: MIT
 *
 * Reads the configuration from its four sources, lowest first: default, file, environment, command
 * line. A loop over the table; knows no key by name.
 */
#include "server/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/names.h"

#define CONFIG_PREFIX   "GATEHOUSE_"
#define CONFIG_NAME_MAX 96
#define CONFIG_FILE_MAX ((size_t)1 << 20)

static const struct json_limits config_limits = {
    .bytes = CONFIG_FILE_MAX, .levels = 16, .keys = 65536};

/* Variables of ours that are no keys; one that ends in _ stands for all that start so. */
static const char *const config_other_variables[] = {
    "GATEHOUSE_MOSQUITTO", /* the broker's program */
    "GATEHOUSE_WWW",       /* the folder of the page's files */
    "GATEHOUSE_BIN",       /* the program under test */
    "GATEHOUSE_TEST_",     /* the tests' own */
    NULL,
};

/* Reads all of a file into `buf`; the errno of what failed, 0 when nothing did. */
static int config_read(const char *path, struct buf *buf)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    char block[4096];
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        buf_add(buf, block, (size_t)got);
        if (buf_error(buf))
            break;
    }
    int why = got < 0 ? errno : 0;
    if (buf_error(buf) == ERR_TOO_LARGE)
        why = EFBIG;
    if (buf_error(buf) == ERR_NO_MEMORY)
        why = ENOMEM;
    close(fd);
    return why;
}

static void config_from_file(const char *path, bool must_exist, struct config *config,
                             struct faults *faults)
{
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    int why = config_read(path, &text);
    if (why == ENOENT && !must_exist) {
        buf_free(&text);
        return;
    }
    if (why) {
        faults_add(faults, "%s: can't be read: %s", path, strerror(why));
        buf_free(&text);
        return;
    }
    struct json *object = NULL;
    struct cause cause = {{0}};
    if (json_parse(text.data ? text.data : "", text.len, &config_limits, &object, &cause))
        faults_add(faults, "%s: not valid JSON: %s", path, cause.text);
    else
        fields_from_json(config_fields, object, path, config, faults);
    json_free(object);
    buf_free(&text);
}

/* "http.port" -> "GATEHOUSE_HTTP_PORT". */
static void config_variable(const char *path, char out[static CONFIG_NAME_MAX])
{
    text_copy(out, CONFIG_NAME_MAX, CONFIG_PREFIX, strlen(CONFIG_PREFIX));
    size_t at = strlen(out);
    for (; *path && at < CONFIG_NAME_MAX - 1; path++)
        out[at++] = *path == '.' ? '_' : (char)toupper((unsigned char)*path);
    out[at] = '\0';
}

/* The row that a variable named by the `len` bytes at `name` sets; `from_file`: by a file's name.
 */
static const struct field *config_row(const char *name, size_t len, bool *from_file)
{
    for (const struct field *row = config_fields; row->path; row++) {
        char variable[CONFIG_NAME_MAX];
        config_variable(row->path, variable);
        size_t own = strlen(variable);
        if (len < own || memcmp(name, variable, own) != 0)
            continue;
        *from_file = row->secret && len == own + 5 && memcmp(name + own, "_FILE", 5) == 0;
        if (len == own || *from_file)
            return row;
    }
    return NULL;
}

static bool config_is_other_variable(const char *name, size_t len)
{
    for (const char *const *other = config_other_variables; *other; other++) {
        size_t own = strlen(*other);
        bool prefix = (*other)[own - 1] == '_';
        if (len >= own && memcmp(name, *other, own) == 0 && (prefix || len == own))
            return true;
    }
    return false;
}

static bool config_is_set(const char *const *environment, const char *name)
{
    size_t len = strlen(name);
    for (; *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return true;
    return false;
}

/* The secret is the file's text without the line end that editors put behind it. */
static void config_from_secret_file(const struct field *row, const char *variable, const char *path,
                                    struct config *config, struct faults *faults)
{
    struct buf text;
    buf_init(&text, row->size + 2);
    int why = config_read(path, &text);
    if (why) {
        faults_add(faults, "%s: %s can't be read: %s", variable, path, strerror(why));
    } else {
        buf_add(&text, "", 1);
        if (!buf_error(&text) && strlen(text.data) + 1 < text.len) {
            faults_add(faults, "%s: the text in %s has a NUL", variable, path);
        } else if (!buf_error(&text)) {
            size_t len = strlen(text.data);
            if (len > 0 && text.data[len - 1] == '\n')
                text.data[--len] = '\0';
            if (len > 0 && text.data[len - 1] == '\r')
                text.data[--len] = '\0';
            fields_from_text(config_fields, row->path, text.data, variable, config, faults);
        } else {
            faults_add(faults, "%s: the text in %s is too long", variable, path);
        }
    }
    buf_free(&text);
}

static void config_from_variable(const char *entry, const char *const *environment,
                                 struct config *config, struct faults *faults)
{
    size_t len = strcspn(entry, "=");
    if (strncmp(entry, CONFIG_PREFIX, strlen(CONFIG_PREFIX)) != 0 || !entry[len] ||
        config_is_other_variable(entry, len))
        return;
    const char *value = entry + len + 1;
    bool from_file = false;
    const struct field *row = config_row(entry, len, &from_file);
    if (!row) {
        faults_add(faults, "environment: %.*s is no key that is known here",
                   (int)(len < CONFIG_NAME_MAX ? len : CONFIG_NAME_MAX), entry);
        return;
    }
    char variable[CONFIG_NAME_MAX];
    config_variable(row->path, variable);
    if (!from_file) {
        fields_from_text(config_fields, row->path, value, variable, config, faults);
        return;
    }
    if (config_is_set(environment, variable)) {
        faults_add(faults, "environment: %s and %s_FILE are both set; one must go", variable,
                   variable);
        return;
    }
    memcpy(variable + strlen(variable), "_FILE", sizeof "_FILE");
    config_from_secret_file(row, variable, value, config, faults);
}

static void config_from_set(const char *set, struct config *config, struct faults *faults)
{
    char path[CONFIG_NAME_MAX];
    const char *equals = strchr(set, '=');
    if (!equals) {
        faults_add(faults, "--set %.80s: must be KEY=VALUE", set);
        return;
    }
    text_copy(path, sizeof path, set, (size_t)(equals - set));
    fields_from_text(config_fields, path, equals + 1, "--set", config, faults);
}

bool config_load(const struct config_source *source, struct config *config, struct faults *faults)
{
    int before = faults->count;
    memset(config, 0, sizeof *config);
    fields_default(config_fields, config);
    config_from_file(source->file ? source->file : "config.json", source->file_must_exist, config,
                     faults);
    for (const char *const *entry = source->environment; entry && *entry; entry++)
        config_from_variable(*entry, source->environment, config, faults);
    for (const char *const *set = source->sets; set && *set; set++)
        config_from_set(*set, config, faults);
    config_finish(config, faults);
    return faults->count == before;
}

void config_free(struct config *config)
{
    fields_free(config_fields, config);
}
