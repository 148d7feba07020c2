/* SPDX-License-Identifier: MIT
 *
 * A folder, a configuration and its faults, for the tests of the configuration.
 */
#ifndef TESTS_UNIT_SERVER_CONFIG_MADE_H
#define TESTS_UNIT_SERVER_CONFIG_MADE_H

#include "server/config.h"

struct made {
    char folder[64];
    char file[96], secret[96];
    struct config config;
    struct faults faults;
};

int made_setup(void **state);
int made_teardown(void **state);
void made_file(const char *path, const char *text, size_t len);
/* Loads `json` (NULL: no file), variables and --set; each NULL-ended or NULL. */
bool made_load(struct made *made, const char *json, const char *const *environment,
               const char *const *sets);
bool made_load_json(struct made *made, const char *json);
bool made_load_set(struct made *made, const char *set);
bool made_said(const struct made *made, const char *part);
/* Fails the test, with all that was said, when nobody said it. */
void made_assert_said(const struct made *made, const char *part);

#endif
