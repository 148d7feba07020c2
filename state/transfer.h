/* SPDX-License-Identifier: MIT
 *
 * The whole state as one JSON document, out and in, and a whole data folder as a verified copy, out
 * and in. Runs in the command line's process or on the storage side, never on the loop.
 * CONTRACT 1.5 and part 3.
 */
#ifndef STATE_TRANSFER_H
#define STATE_TRANSFER_H

#include <stdbool.h>
#include <stdio.h>

#include "server/base/err.h"
#include "server/base/json.h"
#include "state/batch.h"
#include "state/folder.h"
#include "state/registry.h"

/* Writes {"format":"gatehouse-state","version":1,"exported_at":...,"devices":[...],...} from a
 * read-only view of DATA_DIR/gatehouse.db (one transaction; safe beside a running server). Records
 * are sorted by key, times are RFC 3339. */
enum err transfer_export(const char *data_dir, FILE *out, int64_t now_at, struct cause *cause);

/* What an import did, for people. `skipped` lists what has no meaning here, one line each, at most
 * 64 lines. */
struct import_report {
    size_t records[REC_KINDS];
    size_t skipped_count;
    char skipped[64][160];
};
/* Turns a document (ours, or the Python server's config.json, CONTRACT 1.5) into one batch of puts
 * that can be kept whole. Checks all of it first: ERR_BAD_INPUT with a cause that names the place,
 * and no batch. */
enum err transfer_import(const struct json *document, int64_t now_at, struct batch **out,
                         struct import_report *report, struct cause *cause);

/* Progress of long work, for people: done and total files. May be NULL. */
typedef void transfer_progress_fn(void *arg, size_t done, size_t total);
/* Copies database and pictures to `dir` (made; must be empty or not there), checks every picture's
 * SHA-256 and the copy's quick_check, and writes manifest.json last. Safe beside a running server
 * that holds its pictures. */
enum err transfer_backup(const char *data_dir, const char *dir, int64_t now_at,
                         transfer_progress_fn *progress, void *arg, struct cause *cause);
/* Checks a backup whole: manifest, database, every picture. Changes nothing. */
enum err transfer_verify(const char *dir, transfer_progress_fn *progress, void *arg,
                         struct cause *cause);
/* Copies a verified backup's pictures into data_dir (names are random: nothing is overwritten with
 * other bytes). The database follows by store_restore() or transfer_restore_database(). On failure
 * nothing is left. */
enum err transfer_restore_pictures(const char *dir, const char *data_dir,
                                   transfer_progress_fn *progress, void *arg, struct cause *cause);
/* Puts the backup's database at `path` into a data_dir that has none (any more), checked and in one
 * rename: for a new machine and in the place of a file that can't be opened, where store_open() and
 * so store_restore() can't work. The caller holds the folder's lock. ERR_CONFLICT when there is a
 * database, or a log of one. */
enum err transfer_restore_database(const char *path, const char *data_dir, struct cause *cause);

#endif
