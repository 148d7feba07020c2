/* SPDX-License-Identifier: MIT
 *
 * Reading a state file for import: the same for a running server and for the command line. Blocks:
 * not on the loop.
 */
#ifndef SERVER_IMPORT_FILE_H
#define SERVER_IMPORT_FILE_H

#include <stdbool.h>

#include "server/base/buf.h"
#include "state/transfer.h"

/* Reads and checks all of the file; on ERR_OK `batch` is the caller's. The cause names the file. */
enum err import_file_read(const char *path, int64_t now_at, struct batch **batch,
                          struct import_report *report, struct cause *cause);
/* The report's line number `index`, for people, in a fresh buffer (buf_free); false behind the
 * last. */
bool import_report_line(const struct import_report *report, size_t index, struct buf *line);

#endif
