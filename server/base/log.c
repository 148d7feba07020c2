/* SPDX-License-Identifier: MIT
 *
 * Formats, escapes and writes log lines. Knows nothing of rooms beyond their names; keeps no
 * buffer: each line leaves with one write(), so lines of several threads and processes stay whole.
 */
#include "server/base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/utf8.h"

#define LOG_LINE_MAX 2048
#define LOG_PATIENCE_MS                                                                            \
    50 /* for a reader that is only slow; once, then not until it reads again                      \
        */

static struct {
    atomic_int level;
    pthread_mutex_t lock; /* of what is below; held while the sink runs, so a sink must not log */
    void (*sink)(void *arg, enum log_level level, const char *line);
    void *arg;
    unsigned long lost; /* lines since standard error took one */
} log_state = {.level = LOG_INFO, .lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const log_level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
    atomic_store(&log_state.level, (int)level);
}

void log_set_sink(void (*sink)(void *arg, enum log_level level, const char *line), void *arg)
{
    pthread_mutex_lock(&log_state.lock);
    log_state.sink = sink;
    log_state.arg = arg;
    pthread_mutex_unlock(&log_state.lock);
}

/* Marks that reorder or hide text around them on a terminal (UAX #9), and separators that some
 * viewers show as new lines. */
static bool log_point_is_marked(uint32_t point)
{
    return (point >= 0x80 && point <= 0x9F) || point == 0x061C || point == 0x200E ||
           point == 0x200F || (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069);
}

/* One character of `text` as it is shown; returns how many bytes it was. */
static size_t log_escape_one(const unsigned char *text, size_t len, char shown[static 16],
                             size_t *shown_len)
{
    uint32_t point = 0;
    size_t used = utf8_next(text, len, &point);
    if (used == 0 || point < 0x20 || point == 0x7F) {
        *shown_len = (size_t)snprintf(shown, 16, "\\x%02X", text[0]);
        return 1;
    }
    if (log_point_is_marked(point)) {
        *shown_len = (size_t)snprintf(shown, 16, "\\u{%04X}", (unsigned)point);
        return used;
    }
    memcpy(shown, text, used);
    *shown_len = used;
    return used;
}

char *log_escape(char *out, size_t size, const void *text, size_t len)
{
    if (size == 0)
        return out;
    const unsigned char *in = text;
    size_t pos = 0, mark = 0; /* mark: the last place where "..." still fits behind */
    while (len > 0) {
        char shown[16];
        size_t shown_len;
        size_t used = log_escape_one(in, len, shown, &shown_len);
        if (pos + shown_len > size - 1) {
            for (pos = mark; pos < size - 1 && pos < mark + 3; pos++)
                out[pos] = '.';
            break;
        }
        memcpy(out + pos, shown, shown_len);
        pos += shown_len;
        if (pos + 3 <= size - 1)
            mark = pos;
        in += used;
        len -= used;
    }
    out[pos] = '\0';
    return out;
}

/* A pipe is ready when it has room for PIPE_BUF, which is more than a line. */
static bool log_is_taken(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, log_state.lost ? 0 : LOG_PATIENCE_MS) != 0;
}

/* A log that can't be written has nobody to tell. */
static void log_write(const char *line, size_t len)
{
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
        ;
}

/* A terminal that is held (Ctrl-S), or a pipe that nobody empties, must not hold the server: lines
 * are lost then, and counted. */
static void log_to_stderr(char *line)
{
    size_t len = strlen(line);
    if (!log_is_taken()) {
        log_state.lost++;
        return;
    }
    if (log_state.lost) {
        char text[64];
        int size = snprintf(text, sizeof text, "(%lu lines were lost)\n", log_state.lost);
        log_state.lost = 0;
        log_write(text, (size_t)size);
    }
    line[len++] = '\n';
    log_write(line, len);
}

static void log_out(enum log_level level, char *line)
{
    pthread_mutex_lock(&log_state.lock);
    if (log_state.sink)
        log_state.sink(log_state.arg, level, line);
    else
        log_to_stderr(line);
    pthread_mutex_unlock(&log_state.lock);
}

__attribute__((format(printf, 3, 0))) static void log_line(enum log_level level, const char *room,
                                                           const char *format, va_list args)
{
    if ((int)level < atomic_load(&log_state.level))
        return;
    int kept = errno;
    /* Larger than a line: what is cut by vsnprintf is over the line's end, where the escape puts
     * its dots. */
    char raw[LOG_LINE_MAX + 256], line[LOG_LINE_MAX];
    char when[CLOCK_TEXT_MAX];
    int head = snprintf(raw, sizeof raw, "%s %s %s: ", clock_rfc3339(clock_system_wall_ms(), when),
                        log_level_names[level], room);
    size_t len = head > 0 ? (size_t)head : 0;
    if (len > sizeof raw - 1)
        len = sizeof raw - 1;
    errno = kept; /* for %m */
    int body = vsnprintf(raw + len, sizeof raw - len, format, args);
    if (body > 0)
        len = (size_t)body < sizeof raw - len ? len + (size_t)body : sizeof raw - 1;
    /* One byte stays free for the newline. */
    log_escape(line, sizeof line - 1, raw, len);
    log_out(level, line);
    errno = kept;
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *room, const char *format, ...)                                           \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        log_line(level, room, format, args);                                                       \
        va_end(args);                                                                              \
    }

LOG_FUNCTION(log_debug, LOG_DEBUG)
LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_warn, LOG_WARN)
LOG_FUNCTION(log_error, LOG_ERROR)
