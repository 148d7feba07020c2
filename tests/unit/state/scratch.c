/* SPDX-License-Identifier: MIT */
#include "tests/unit/state/scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int remove_one(const char *path, const struct stat *found, int type, struct FTW *ftw)
{
    (void)found;
    (void)type;
    (void)ftw;
    return remove(path);
}

char *scratch_new(void)
{
    const char *above = getenv("TMPDIR");
    char *folder = NULL;
    if (asprintf(&folder, "%s/gatehouse-test-XXXXXX", above != NULL ? above : "/tmp") < 0 ||
        mkdtemp(folder) == NULL)
        fail_msg("no folder for the test can be made");
    return folder;
}

void scratch_free(char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

const char *scratch_path(const char *folder, const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

void scratch_write(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

char *scratch_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct stat found;
    assert_int_equal(fstat(fileno(file), &found), 0);
    char *bytes = calloc(1, (size_t)found.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)found.st_size, file), found.st_size);
    fclose(file);
    if (len != NULL)
        *len = (size_t)found.st_size;
    return bytes;
}

bool scratch_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static size_t counted;

static int count_one(const char *path, const struct stat *found, int type, struct FTW *ftw)
{
    (void)path;
    (void)found;
    (void)ftw;
    counted += type == FTW_F;
    return 0;
}

size_t scratch_count_files(const char *folder)
{
    counted = 0;
    nftw(folder, count_one, 16, FTW_PHYS);
    return counted;
}
