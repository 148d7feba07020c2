/* SPDX-License-Identifier: MIT
 *
 * The machine's two clocks, and time as text. Keeps nothing.
 */
#include "server/base/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define YEAR_9999_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define YEAR_0_MS    INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */

static int64_t clock_read(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_system_wall_ms(void)
{
    return clock_read(CLOCK_REALTIME);
}

static int64_t clock_system_wall(void *arg)
{
    (void)arg;
    return clock_read(CLOCK_REALTIME);
}

static int64_t clock_system_boot(void *arg)
{
    (void)arg;
    return clock_read(CLOCK_BOOTTIME);
}

void clock_init_system(struct clock *clock)
{
    *clock = (struct clock){.wall_ms = clock_system_wall, .boot_ms = clock_system_boot};
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t got = read(fd, clock->boot_id, sizeof clock->boot_id - 1);
    close(fd);
    clock->boot_id[got > 0 ? got : 0] = '\0';
    clock->boot_id[strcspn(clock->boot_id, "\n")] = '\0';
}

int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->arg);
}

int64_t clock_boot_ms(const struct clock *clock)
{
    return clock->boot_ms(clock->arg);
}

/* Whole seconds and the milliseconds over, the latter never negative. Cut to years of four digits.
 */
static time_t clock_split(int64_t wall_ms, int *over)
{
    if (wall_ms > YEAR_9999_MS)
        wall_ms = YEAR_9999_MS;
    if (wall_ms < YEAR_0_MS)
        wall_ms = YEAR_0_MS;
    int64_t seconds = wall_ms / 1000;
    *over = (int)(wall_ms % 1000);
    if (*over < 0) {
        *over += 1000;
        seconds--;
    }
    return (time_t)seconds;
}

char *clock_rfc3339(int64_t wall_ms, char out[static CLOCK_TEXT_MAX])
{
    int over;
    time_t seconds = clock_split(wall_ms, &over);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    /* The remainders change nothing; they bound the numbers for the compiler's eyes. */
    snprintf(out, CLOCK_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
             (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
             (unsigned)tm.tm_sec % 100, (unsigned)over % 1000);
    return out;
}

char *clock_compact(int64_t wall_ms, char out[static CLOCK_TEXT_MAX])
{
    int over;
    time_t seconds = clock_split(wall_ms, &over);
    struct tm tm = {0};
    localtime_r(&seconds, &tm);
    if (strftime(out, CLOCK_TEXT_MAX, "%Y%m%d%H%M%S", &tm) == 0)
        out[0] = '\0';
    return out;
}

/* `digits` decimal digits; moves *text behind them. */
static bool clock_digits(const char **text, int digits, int *out)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        value = value * 10 + (**text - '0');
    }
    *out = value;
    return true;
}

static bool clock_char(const char **text, const char *allowed)
{
    if (!**text || !strchr(allowed, **text))
        return false;
    (*text)++;
    return true;
}

static int clock_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool clock_fraction(const char **text, int *ms)
{
    *ms = 0;
    if (**text != '.')
        return true;
    (*text)++;
    int scale = 100, count = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++, count++) {
        *ms += (**text - '0') * scale;
        scale /= 10;
    }
    return count > 0 && count <= 9;
}

/* Minutes east of UTC. */
static bool clock_zone(const char **text, int *minutes)
{
    *minutes = 0;
    if (clock_char(text, "Zz"))
        return true;
    int sign = **text == '-' ? -1 : 1, hour, minute;
    if (!clock_char(text, "+-") || !clock_digits(text, 2, &hour) || !clock_char(text, ":") ||
        !clock_digits(text, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

enum err clock_parse_rfc3339(const char *text, int64_t *wall_ms)
{
    int year, month, day, hour, minute, second, ms, zone;
    if (!clock_digits(&text, 4, &year) || !clock_char(&text, "-") ||
        !clock_digits(&text, 2, &month) || !clock_char(&text, "-") ||
        !clock_digits(&text, 2, &day) || !clock_char(&text, "Tt") ||
        !clock_digits(&text, 2, &hour) || !clock_char(&text, ":") ||
        !clock_digits(&text, 2, &minute) || !clock_char(&text, ":") ||
        !clock_digits(&text, 2, &second) || !clock_fraction(&text, &ms) ||
        !clock_zone(&text, &zone) || *text)
        return ERR_BAD_INPUT;
    /* A second of 60 is a leap second (RFC 3339 5.7) and counts as the next minute's first. */
    if (month < 1 || month > 12 || day < 1 || day > clock_month_days(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return ERR_BAD_INPUT;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    *wall_ms = ((int64_t)timegm(&tm) - (int64_t)zone * 60) * 1000 + ms;
    return ERR_OK;
}
