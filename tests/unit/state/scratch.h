/* SPDX-License-Identifier: MIT
 *
 * A folder of its own for each test, and small deeds on files in it.
 */
#ifndef TESTS_UNIT_STATE_SCRATCH_H
#define TESTS_UNIT_STATE_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Makes an empty folder below TMPDIR; scratch_free() removes it with all in it and frees the name.
 */
char *scratch_new(void);
void scratch_free(char *folder);
/* FOLDER/NAME; static storage that is used again after eight calls. */
const char *scratch_path(const char *folder, const char *name);
void scratch_write(const char *path, const void *bytes, size_t len);
/* The file's bytes with a NUL behind them (free()). */
char *scratch_read(const char *path, size_t *len);
bool scratch_exists(const char *path);
/* How many regular files lie below that folder, at any depth. */
size_t scratch_count_files(const char *folder);

#endif
