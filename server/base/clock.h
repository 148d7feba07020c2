/* SPDX-License-Identifier: MIT
 *
 * The only source of time. Two clocks, both in milliseconds: the wall (CLOCK_REALTIME, since 1970
 * UTC, may jump) and the boot clock (CLOCK_BOOTTIME, since the machine started, goes on during
 * sleep, never jumps). Tests give their own.
 */
#ifndef SERVER_BASE_CLOCK_H
#define SERVER_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct clock {
    int64_t (*wall_ms)(void *arg);
    int64_t (*boot_ms)(void *arg);
    void *arg;
    char boot_id[40]; /* which start of the machine boot_ms counts from; "" is never equal to any */
};

/* Fills in the machine's own clocks and its boot id (/proc/sys/kernel/random/boot_id). */
void clock_init_system(struct clock *clock);
int64_t clock_wall_ms(const struct clock *clock);
int64_t clock_boot_ms(const struct clock *clock);
/* The machine's wall clock without a struct, for the log's stamps. */
int64_t clock_system_wall_ms(void);

#define CLOCK_TEXT_MAX 32
/* RFC 3339 in UTC with milliseconds, "2026-01-02T03:04:05.678Z". Returns `out`. */
char *clock_rfc3339(int64_t wall_ms, char out[static CLOCK_TEXT_MAX]);
/* The inverse; the fraction may be missing, the zone must be Z or an offset. */
enum err clock_parse_rfc3339(const char *text, int64_t *wall_ms);
/* "20260102030405" in the process's local zone (the site's; main() sets TZ). Returns `out`. */
char *clock_compact(int64_t wall_ms, char out[static CLOCK_TEXT_MAX]);

#endif
