/* SPDX-License-Identifier: MIT
 *
 * Reading a state file for import, and telling what it brought.
 */
#include "server/import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/json.h"

/* A pipe that nobody writes to would hold the reader, and with it the server's stop, for ever. */
static FILE *open_regular(const char *path, struct cause *cause)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *file = fd >= 0 && !fstat(fd, &found) && S_ISREG(found.st_mode) ? fdopen(fd, "r") : NULL;
    if (file)
        return file;
    cause_set(cause, ERR_NOT_FOUND, "%s: %s", path,
              fd < 0 ? strerror(errno) : "not a file that can be read: a state file is wanted");
    if (fd >= 0)
        close(fd);
    return NULL;
}

static enum err read_all(const char *path, struct buf *text, struct cause *cause)
{
    FILE *file = open_regular(path, cause);
    if (!file)
        return ERR_NOT_FOUND;
    char piece[65536];
    for (size_t len; (len = fread(piece, 1, sizeof piece, file));)
        buf_add(text, piece, len);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return cause_set(cause, ERR_IO, "%s: reading failed", path);
    enum err err = buf_error(text);
    return err ? cause_set(cause, err, "%s: %s", path, err_message(err)) : ERR_OK;
}

enum err import_file_read(const char *path, int64_t now_at, struct batch **batch,
                          struct import_report *report, struct cause *cause)
{
    struct buf text;
    struct json *document = NULL;
    struct cause inner = {""};
    buf_init(&text, json_limits_file.bytes);
    enum err err = read_all(path, &text, cause);
    if (!err) {
        err =
            json_parse(text.data ? text.data : "", text.len, &json_limits_file, &document, &inner);
        if (!err)
            err = transfer_import(document, now_at, batch, report, &inner);
        if (err)
            cause_set(cause, err, "%s: %s", path, inner.text);
    }
    json_free(document);
    buf_free(&text);
    return err;
}

bool import_report_line(const struct import_report *report, size_t index, struct buf *line)
{
    buf_init(line, 1024);
    for (int kind = 0; kind < REC_KINDS; kind++)
        if (report->records[kind] && !index--) {
            buf_addf(line, "%s: %zu taken", record_types[kind].table, report->records[kind]);
            return true;
        }
    size_t told = report->skipped_count, most = sizeof report->skipped / sizeof *report->skipped;
    if (told > most)
        told = most;
    if (index < told) {
        buf_addf(line, "skipped: %s", report->skipped[index]);
        return true;
    }
    if (index == told && report->skipped_count > told) {
        buf_addf(line, "skipped: %zu more", report->skipped_count - told);
        return true;
    }
    return false;
}
