/* SPDX-License-Identifier: MIT
 *
 * Helpers of the configuration's tests.
 */
#include "tests/unit/server/config_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int made_setup(void **state)
{
    struct made *made = calloc(1, sizeof *made);
    snprintf(made->folder, sizeof made->folder, "/tmp/gatehouse-config-XXXXXX");
    if (!mkdtemp(made->folder)) {
        free(made);
        return -1;
    }
    snprintf(made->file, sizeof made->file, "%s/config.json", made->folder);
    snprintf(made->secret, sizeof made->secret, "%s/secret", made->folder);
    *state = made;
    return 0;
}

int made_teardown(void **state)
{
    struct made *made = *state;
    config_free(&made->config);
    unlink(made->file);
    unlink(made->secret);
    rmdir(made->folder);
    free(made);
    return 0;
}

void made_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

bool made_load(struct made *made, const char *json, const char *const *environment,
               const char *const *sets)
{
    config_free(&made->config);
    made->faults.count = 0;
    unlink(made->file);
    if (json)
        made_file(made->file, json, strlen(json));
    struct config_source source = {.file = made->file,
                                   .file_must_exist = json != NULL,
                                   .sets = sets,
                                   .environment = environment};
    return config_load(&source, &made->config, &made->faults);
}

bool made_load_json(struct made *made, const char *json)
{
    return made_load(made, json, NULL, NULL);
}

bool made_load_set(struct made *made, const char *set)
{
    const char *const sets[] = {set, NULL};
    return made_load(made, NULL, NULL, sets);
}

bool made_said(const struct made *made, const char *part)
{
    for (int i = 0; i < made->faults.count && i < FAULTS_MAX; i++)
        if (strstr(made->faults.text[i], part))
            return true;
    return false;
}

void made_assert_said(const struct made *made, const char *part)
{
    if (made_said(made, part))
        return;
    for (int i = 0; i < made->faults.count && i < FAULTS_MAX; i++)
        print_error("said: %s\n", made->faults.text[i]);
    fail_msg("nobody said: %s", part);
}
