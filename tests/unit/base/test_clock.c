/* SPDX-License-Identifier: MIT
 *
 * Time as text and back, and the machine's clocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "server/base/clock.h"

static void writes_rfc3339(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } pairs[] = {
        {0, "1970-01-01T00:00:00.000Z"},         {1767323045678, "2026-01-02T03:04:05.678Z"},
        {-1, "1969-12-31T23:59:59.999Z"},        {951782400000, "2000-02-29T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"}, {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[CLOCK_TEXT_MAX];
        assert_string_equal(clock_rfc3339(pairs[i].ms, out), pairs[i].text);
        int64_t back;
        assert_int_equal(clock_parse_rfc3339(pairs[i].text, &back), ERR_OK);
        if (i < 4)
            assert_true(back == pairs[i].ms);
    }
}

static void reads_zones_and_fractions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } pairs[] = {
        {"2026-01-02T03:04:05Z", 1767323045000},
        {"2026-01-02t03:04:05.6z", 1767323045600},
        {"2026-01-02T03:04:05.678999999Z", 1767323045678},
        {"2026-01-02T05:34:05+02:30", 1767323045000},
        {"2026-01-01T22:04:05-05:00", 1767323045000},
        {"2026-01-02T03:04:05-00:00", 1767323045000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"1969-12-31T23:59:59.999Z", -1},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        int64_t ms = 0;
        assert_int_equal(clock_parse_rfc3339(pairs[i].text, &ms), ERR_OK);
        assert_true(ms == pairs[i].ms);
    }
}

static void refuses_what_is_no_time(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          "2026",
                                          "2026-01-02",
                                          "2026-01-02T03:04:05",
                                          "2026-01-02 03:04:05Z",
                                          "2026-13-02T03:04:05Z",
                                          "2026-00-02T03:04:05Z",
                                          "2026-02-29T03:04:05Z",
                                          "2026-04-31T03:04:05Z",
                                          "2026-01-00T03:04:05Z",
                                          "2026-01-02T24:00:00Z",
                                          "2026-01-02T03:60:05Z",
                                          "2026-01-02T03:04:61Z",
                                          "2026-01-02T03:04:05.Z",
                                          "2026-01-02T03:04:05.1234567890Z",
                                          "2026-01-02T03:04:05Zx",
                                          "2026-01-02T03:04:05+0100",
                                          "2026-01-02T03:04:05+24:00",
                                          "2026-1-02T03:04:05Z",
                                          "-026-01-02T03:04:05Z",
                                          "2026-01-02T03:04:05+01:",
                                          "2100-02-29T00:00:00Z"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        int64_t ms = 42;
        assert_int_equal(clock_parse_rfc3339(refused[i], &ms), ERR_BAD_INPUT);
        assert_true(ms == 42);
    }
}

static void compact_time_is_the_sites(void **state)
{
    (void)state;
    char out[CLOCK_TEXT_MAX];
    setenv("TZ", "EST-2", 1);
    tzset();
    assert_string_equal(clock_compact(1767323045678, out), "20260102050405");
    setenv("TZ", "UTC0", 1);
    tzset();
    assert_string_equal(clock_compact(1767323045678, out), "20260102030405");
}

static void system_clocks_run_and_boot_has_an_id(void **state)
{
    (void)state;
    struct clock clock;
    clock_init_system(&clock);
    assert_true(clock_wall_ms(&clock) > 1600000000000);
    int64_t boot = clock_boot_ms(&clock);
    assert_true(boot > 0 && clock_boot_ms(&clock) >= boot);
    assert_int_equal(strlen(clock.boot_id), 36);
}

static int64_t own_ms(void *arg)
{
    return *(int64_t *)arg;
}

static void clock_can_be_ones_own(void **state)
{
    (void)state;
    int64_t now = 5;
    struct clock clock = {.wall_ms = own_ms, .boot_ms = own_ms, .arg = &now};
    assert_int_equal(clock_wall_ms(&clock), 5);
    now = 6;
    assert_int_equal(clock_boot_ms(&clock), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_rfc3339),
        cmocka_unit_test(reads_zones_and_fractions),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(compact_time_is_the_sites),
        cmocka_unit_test(system_clocks_run_and_boot_has_an_id),
        cmocka_unit_test(clock_can_be_ones_own),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
