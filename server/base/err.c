/* SPDX-License-Identifier: MIT
 *
 * Names, messages and HTTP statuses of the error codes, all from the one list in err.h. Prints
 * nothing.
 */
#include "server/base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    int status;
    const char *message;
} err_rows[] = {
#define ERR_ROW(name, status, message) {#name, status, message},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};
_Static_assert(sizeof err_rows / sizeof err_rows[0] == ERR_COUNT, "one row per code");

static int err_known(enum err code)
{
    return (unsigned)code < ERR_COUNT;
}

enum err cause_set(struct cause *cause, enum err code, const char *format, ...)
{
    if (!cause)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(cause->text, sizeof cause->text, format, args);
    va_end(args);
    return code;
}

const char *err_name(enum err code)
{
    return err_known(code) ? err_rows[code].name : "?";
}

const char *err_message(enum err code)
{
    return err_known(code) ? err_rows[code].message : "?";
}

int err_http_status(enum err code)
{
    return err_known(code) ? err_rows[code].status : 500;
}
