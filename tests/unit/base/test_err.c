/* SPDX-License-Identifier: MIT
 *
 * The list of error codes and the causes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/err.h"

static void every_code_has_name_message_and_http_status(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_COUNT; code++) {
        assert_true(strlen(err_name((enum err)code)) > 1);
        assert_true(strlen(err_message((enum err)code)) > 1);
        int status = err_http_status((enum err)code);
        assert_true(code == ERR_OK ? status == 200 : status >= 400 && status <= 599);
    }
    assert_string_equal(err_name(ERR_NOT_KEPT), "NOT_KEPT");
    assert_int_equal(err_http_status(ERR_DISK_FULL), 507);
    assert_string_equal(err_name(ERR_COUNT), "?");
    assert_int_equal(err_http_status((enum err)9999), 500);
}

static void cause_is_cut_and_may_be_missing(void **state)
{
    (void)state;
    assert_int_equal(cause_set(NULL, ERR_IO, "%d", 1), ERR_IO);
    struct cause cause;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(cause_set(&cause, ERR_LIMIT, "%s", text), ERR_LIMIT);
    assert_int_equal(strlen(cause.text), sizeof cause.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_name_message_and_http_status),
        cmocka_unit_test(cause_is_cut_and_may_be_missing),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
