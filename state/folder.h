/* SPDX-License-Identifier: MIT
 *
 * The data folder as such: making it, locking it, making names in it last. Blocks; not on the loop.
 */
#ifndef STATE_FOLDER_H
#define STATE_FOLDER_H

#include "server/base/err.h"

/* The error code that an errno of a failed write or read means: ERR_DISK_FULL for a full disk, a
 * quota or a file size limit, else ERR_IO. */
enum err folder_err(int error);
/* Makes a folder (0700) when it isn't there; its parent must be. ERR_IO or ERR_DISK_FULL with a
 * cause. */
enum err folder_make(const char *path, struct cause *cause);
/* Makes what was created, renamed or removed in the folder last (fsync of the folder). */
enum err folder_sync(const char *path, struct cause *cause);
/* Copies a file to a new one (0600), not synced. ERR_NOT_FOUND when there is no such source,
 * ERR_CONFLICT when `to` is there; on failure nothing is left at `to`. */
enum err folder_copy_file(const char *from, const char *to, struct cause *cause);

/* The folder's lock (DATA_DIR/lock, flock): one server or one changing command at a time. -1 with
 * ERR_CONFLICT when somebody has it. Closing the descriptor gives it back. Makes the folder (0700)
 * when missing. */
enum err folder_lock(const char *data_dir, int *fd, struct cause *cause);

#endif
