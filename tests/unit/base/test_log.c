/* SPDX-License-Identifier: MIT
 *
 * The log: escaping, cutting, levels, the sink, one write() a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/log.h"

struct heard {
    int count;
    enum log_level level;
    char line[4096];
};

static void hear(void *arg, enum log_level level, const char *line)
{
    struct heard *heard = arg;
    heard->count++;
    heard->level = level;
    snprintf(heard->line, sizeof heard->line, "%s", line);
}

static int teardown(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL);
    log_set_level(LOG_INFO);
    return 0;
}

static void escape_shows_what_could_harm(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *shown;
    } pairs[] = {
        {"plain", 5, "plain"},
        {"", 0, ""},
        {"a\nb\r", 4, "a\\x0Ab\\x0D"},
        {"\x1B[31m", 5, "\\x1B[31m"},
        {"a\0b", 3, "a\\x00b"},
        {"\x7F", 1, "\\x7F"},
        {"\xFFz", 2, "\\xFFz"},
        {"\xE2\x82", 2, "\\xE2\\x82"},
        {"\xC2\x9B", 2, "\\u{009B}"},
        {"\xE2\x80\xA8\xE2\x80\xA9", 6, "\\u{2028}\\u{2029}"},
        {"\xE2\x80\xAE\xE2\x81\xA6\xE2\x80\x8F\xD8\x9C", 11,
         "\\u{202E}\\u{2066}\\u{200F}\\u{061C}"},
        {"t\xC3\xBCr \xF0\x9F\x94\x91", 9, "t\xC3\xBCr \xF0\x9F\x94\x91"},
        {"\\x0A", 4, "\\x0A"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[128];
        assert_string_equal(log_escape(out, sizeof out, pairs[i].text, pairs[i].len),
                            pairs[i].shown);
    }
}

static void escape_cuts_between_characters_with_dots(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *text, *shown;
    } pairs[] = {
        {10, "abcdefghi", "abcdefghi"},
        {10, "abcdefghij", "abcdef..."},
        {10, "abc\x01\x02", "abc..."},
        {10,
         "abcd\xE2\x82\xAC"
         "def",
         "abcd..."},
        {5, "abcdef", "a..."},
        {4, "abcdef", "..."},
        {3, "abcdef", ".."},
        {1, "abcdef", ""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[16];
        memset(out, 'z', sizeof out);
        log_escape(out, pairs[i].size, pairs[i].text, strlen(pairs[i].text));
        assert_string_equal(out, pairs[i].shown);
        assert_int_equal(out[pairs[i].size], 'z');
    }
    char none = 'z';
    log_escape(&none, 0, "abc", 3);
    assert_int_equal(none, 'z');
}

static void line_has_time_level_room_and_escaped_text(void **state)
{
    (void)state;
    struct heard heard = {0};
    log_set_sink(hear, &heard);
    log_warn("mqtt", "payload %s", "un\nlock");
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, LOG_WARN);
    int year, end = 0;
    assert_int_equal(sscanf(heard.line, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ %n", &year, &end), 1);
    assert_true(year >= 2020);
    assert_string_equal(heard.line + end, "warn mqtt: payload un\\x0Alock");
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    struct heard heard = {0};
    log_set_sink(hear, &heard);
    log_debug("t", "x");
    assert_int_equal(heard.count, 0);
    log_set_level(LOG_DEBUG);
    log_debug("t", "x");
    assert_int_equal(heard.count, 1);
    log_set_level(LOG_ERROR);
    log_warn("t", "x");
    log_info("t", "x");
    assert_int_equal(heard.count, 1);
    log_error("t", "x");
    assert_int_equal(heard.count, 2);
}

static void long_text_is_cut_at_two_kilobytes(void **state)
{
    (void)state;
    struct heard heard = {0};
    log_set_sink(hear, &heard);
    char *text = malloc(100000);
    assert_non_null(text);
    static const char fills[] = {'x', '\n'};
    for (size_t i = 0; i < sizeof fills; i++) {
        memset(text, fills[i], 99999);
        text[99999] = '\0';
        log_info("t", "%s", text);
        size_t len = strlen(heard.line);
        assert_in_range(len, 2000, 2047);
        assert_string_equal(heard.line + len - 3, "...");
    }
    free(text);
}

static void errno_is_kept_and_shown(void **state)
{
    (void)state;
    struct heard heard = {0};
    log_set_sink(hear, &heard);
    errno = ENOENT;
    log_info("t", "%m");
    assert_int_equal(errno, ENOENT);
    assert_non_null(strstr(heard.line, "No such file"));
}

static void standard_error_gets_whole_lines(void **state)
{
    (void)state;
    int ends[2], kept = dup(STDERR_FILENO);
    /* In packet mode each write() is one read(). */
    assert_int_equal(pipe2(ends, O_DIRECT), 0);
    dup2(ends[1], STDERR_FILENO);
    log_info("t", "first");
    log_info("t", "second");
    dup2(kept, STDERR_FILENO);
    char line[4096];
    ssize_t got = read(ends[0], line, sizeof line - 1);
    assert_true(got > 0);
    line[got] = '\0';
    assert_non_null(strstr(line, "info t: first\n"));
    assert_null(strstr(line, "second"));
    close(ends[0]);
    close(ends[1]);
    close(kept);
}

static void nobody_who_reads_is_waited_for_and_the_loss_is_told(void **state)
{
    (void)state;
    int ends[2], kept = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    char text[4096];
    memset(text, 'x', sizeof text);
    while (write(ends[1], text, sizeof text) > 0)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    dup2(ends[1], STDERR_FILENO);
    alarm(20); /* ends the test that would wait for ever */
    for (int i = 0; i < 1000; i++)
        log_info("t", "lost");
    while (read(ends[0], text, sizeof text) > 0)
        ;
    log_info("t", "heard");
    alarm(0);
    dup2(kept, STDERR_FILENO);
    ssize_t got = read(ends[0], text, sizeof text - 1);
    assert_true(got > 0);
    text[got] = '\0';
    assert_non_null(strstr(text, "(1000 lines were lost)\n"));
    assert_non_null(strstr(text, "info t: heard\n"));
    close(ends[0]);
    close(ends[1]);
    close(kept);
}

#define UNIT(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(escape_shows_what_could_harm),
        UNIT(escape_cuts_between_characters_with_dots),
        UNIT(line_has_time_level_room_and_escaped_text),
        UNIT(lines_below_the_level_are_dropped),
        UNIT(long_text_is_cut_at_two_kilobytes),
        UNIT(errno_is_kept_and_shown),
        UNIT(standard_error_gets_whole_lines),
        UNIT(nobody_who_reads_is_waited_for_and_the_loss_is_told),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
