/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/folder.h"
#include "tests/unit/state/scratch.h"

static int make_scratch(void **state)
{
    *state = scratch_new();
    return 0;
}

static int free_scratch(void **state)
{
    scratch_free(*state);
    return 0;
}

static void a_missing_folder_is_made_for_its_owner_alone(void **state)
{
    const char *data_dir = scratch_path(*state, "data");
    struct stat found;
    int fd;
    assert_int_equal(folder_lock(data_dir, &fd, NULL), ERR_OK);
    assert_int_equal(stat(data_dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(fstat(fd, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void a_second_lock_is_refused_and_says_who_has_the_first(void **state)
{
    struct cause cause;
    char pid[32];
    int first, second = 7;
    assert_int_equal(folder_lock(*state, &first, NULL), ERR_OK);
    assert_int_equal(folder_lock(*state, &second, &cause), ERR_CONFLICT);
    assert_int_equal(second, -1);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(cause.text, pid));
    assert_non_null(strstr(cause.text, *state));
    close(first);
    assert_int_equal(folder_lock(*state, &second, &cause), ERR_OK);
    close(second);
}

static void the_lock_ends_with_the_process_that_held_it(void **state)
{
    int pipes[2], fd, status;
    char byte;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        int held;
        byte = folder_lock(*state, &held, NULL) == ERR_OK ? 'y' : 'n';
        if (write(pipes[1], &byte, 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(folder_lock(*state, &fd, NULL), ERR_CONFLICT);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(folder_lock(*state, &fd, NULL), ERR_OK);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}

static void what_is_no_folder_is_refused_with_its_name(void **state)
{
    struct cause cause;
    int fd;
    const char *path = scratch_path(*state, "file");
    scratch_write(path, "x", 1);
    assert_int_equal(folder_lock(path, &fd, &cause), ERR_IO);
    assert_non_null(strstr(cause.text, path));
    assert_int_equal(folder_lock(scratch_path(*state, "no/such"), &fd, &cause), ERR_IO);
    assert_int_equal(folder_sync(scratch_path(*state, "none"), &cause), ERR_IO);
    assert_int_equal(folder_sync(*state, &cause), ERR_OK);
}

static void a_file_is_copied_once_and_never_over_another(void **state)
{
    struct cause cause;
    struct stat found;
    const char *from = scratch_path(*state, "from"), *to = scratch_path(*state, "to");
    size_t len;
    char *bytes = calloc(1, 200001);
    memset(bytes, 'b', 200000);
    scratch_write(from, bytes, 200000);
    assert_int_equal(folder_copy_file(from, to, &cause), ERR_OK);
    char *copied = scratch_read(to, &len);
    assert_int_equal(len, 200000);
    assert_memory_equal(copied, bytes, len);
    assert_int_equal(stat(to, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(folder_copy_file(from, to, &cause), ERR_CONFLICT);
    assert_int_equal(folder_copy_file(scratch_path(*state, "none"), to, &cause), ERR_NOT_FOUND);
    free(bytes);
    free(copied);
}

static void a_full_disk_is_told_from_a_broken_one(void **state)
{
    (void)state;
    assert_int_equal(folder_err(ENOSPC), ERR_DISK_FULL);
    assert_int_equal(folder_err(EDQUOT), ERR_DISK_FULL);
    assert_int_equal(folder_err(EFBIG), ERR_DISK_FULL);
    assert_int_equal(folder_err(EIO), ERR_IO);
    assert_int_equal(folder_err(0), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, free_scratch)
        IN_SCRATCH(a_missing_folder_is_made_for_its_owner_alone),
        IN_SCRATCH(a_second_lock_is_refused_and_says_who_has_the_first),
        IN_SCRATCH(the_lock_ends_with_the_process_that_held_it),
        IN_SCRATCH(what_is_no_folder_is_refused_with_its_name),
        IN_SCRATCH(a_file_is_copied_once_and_never_over_another),
        cmocka_unit_test(a_full_disk_is_told_from_a_broken_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
