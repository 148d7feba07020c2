/* SPDX-License-Identifier: MIT
 *
 * The log: one line a message on standard error, "2026-01-02T03:04:05.678Z level room: text".
 * Any text may be given with %s: the finished line is escaped as a whole (control characters,
 * invalid UTF-8, line and paragraph separators, and bidirectional marks become \xNN or \u{NNNN}),
 * cut at 2 KB. errno is kept. Any thread. The only global of the program is this sink.
 */
#ifndef SERVER_BASE_LOG_H
#define SERVER_BASE_LOG_H

#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below `level` are dropped; LOG_INFO at the start. */
void log_set_level(enum log_level level);
/* Where finished lines go (without the newline); NULL for standard error. For tests. */
void log_set_sink(void (*sink)(void *arg, enum log_level level, const char *line), void *arg);

void log_debug(const char *room, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *room, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *room, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_error(const char *room, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes `len` bytes of untrusted text into `out` (always NUL-terminated when size > 0), escaped as
 * the log does it, cut with "..." at `size`. Returns `out`. */
char *log_escape(char *out, size_t size, const void *text, size_t len);

#endif
