/* SPDX-License-Identifier: MIT
 *
 * What the files of transfer share. Nobody else includes it.
 *
 *   state document   {"format": "gatehouse-state", "version": 1, "exported_at": TIME,
 *                     TABLE: [{COLUMN: VALUE, ...}, ...], ...}
 *   backup           DIR/gatehouse.db  DIR/pictures/ab/abcd...  DIR/manifest.json (written last)
 */
#ifndef STATE_TRANSFER_PRIV_H
#define STATE_TRANSFER_PRIV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/json.h"
#include "state/records.h"
#include "state/transfer.h"

struct sqlite3;

#define STATE_FORMAT    "gatehouse-state"
#define STATE_VERSION   1
#define BACKUP_FORMAT   "gatehouse-backup"
#define BACKUP_VERSION  1
#define BACKUP_MANIFEST "manifest.json"

/* --- how columns look in the state document (transfer_export.c) --- */

/* A number of milliseconds, written as RFC 3339, or null for 0: "never". */
bool transfer_column_is_time(const struct column *column);
/* Its text is JSON and is written as that value: custom's. */
bool transfer_column_is_json(enum record_kind kind, const struct column *column);

/* --- import (transfer_import.c, transfer_python.c) --- */

/* One more line for people; escaped, since it may hold names from the document. */
void transfer_skip(struct import_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Notes one put in the batch and counts it. */
enum err transfer_put(struct batch *batch, struct import_report *report, enum record_kind kind,
                      const void *record, struct cause *cause);
/* No topic is held by two devices or apps of the batch (transfer_topics.c). */
enum err transfer_check_topics(const struct batch *batch, struct cause *cause);
/* Whether this is what save_to_config of the Python server writes. */
bool transfer_is_python(const struct json *document);
enum err transfer_import_python(const struct json *document, int64_t now_at, struct batch *batch,
                                struct import_report *report, struct cause *cause);

/* --- pictures of a backup (transfer_files.c) --- */

/* FOLDER/NAME; ERR_IO when that is too long. */
enum err transfer_path(char out[PATH_MAX], const char *folder, const char *name,
                       struct cause *cause);
/* Calls `visit` for each row of the pictures, by id, until one fails; tells the progress. */
typedef enum err transfer_picture_fn(void *arg, const struct picture *picture, struct cause *cause);
enum err transfer_each_picture(struct sqlite3 *db, transfer_picture_fn *visit, void *arg,
                               transfer_progress_fn *progress, void *progress_arg,
                               struct cause *cause);
/* Whether the file holds what the row says: its size and its SHA-256. ERR_CORRUPT when it doesn't
 * or isn't there. */
enum err transfer_check_picture(const char *path, const struct picture *picture,
                                struct cause *cause);
/* Makes all that was written to the file system of this folder last (syncfs). */
enum err transfer_sync_all(const char *folder, struct cause *cause);

#endif
