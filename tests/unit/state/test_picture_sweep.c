/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/log.h"
#include "state/pictures.h"
#include "tests/unit/state/house.h"
#include "tests/unit/state/scratch.h"

struct fixture {
    struct house house;
    struct pictures *pictures;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    house_open(&fixture->house);
    struct pictures_options options = {.data_dir = fixture->house.data_dir,
                                       .post = loop_queue_post(&fixture->house.loop),
                                       .max_bytes = 100000};
    *state = fixture;
    return pictures_new(&options, &fixture->pictures, NULL) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    pictures_free(fixture->pictures);
    house_close(&fixture->house);
    free(fixture);
    return 0;
}

static struct picture_sweep sweep(struct fixture *fixture)
{
    struct picture_sweep counts;
    struct cause cause = {.text = ""};
    struct house *house = &fixture->house;
    if (pictures_sweep(fixture->pictures, house->store, house->turn, &counts, &cause) != ERR_OK)
        fail_msg("%s", cause.text);
    house_commit(house);
    return counts;
}

static void a_folder_in_order_is_left_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 40; i++)
        house_add_picture(&fixture->house, HOUSE_NOW, 100);
    house_commit(&fixture->house);
    struct picture_sweep counts = sweep(fixture);
    assert_int_equal(counts.temporary + counts.without_row + counts.without_file, 0);
    assert_int_equal(house_count(&fixture->house, REC_PICTURE), 40);
    assert_int_equal(scratch_count_files(scratch_path(fixture->house.data_dir, "pictures")), 40);
}

static void what_a_crash_left_between_is_removed(void **state)
{
    struct fixture *fixture = *state;
    struct house *house = &fixture->house;
    struct picture kept[10], lost[3];
    for (int i = 0; i < 10; i++)
        kept[i] = house_add_picture(house, HOUSE_NOW, 100);
    for (int i = 0; i < 3; i++)
        lost[i] = house_add_picture(house, HOUSE_NOW, 100);
    house_commit(house);
    for (int i = 0; i < 3; i++)
        unlink(house_picture_path(house, lost[i].id));
    static const char *const strays[] = {"00000000000000000000000000000000",
                                         "7fffffffffffffffffffffffffffffff",
                                         "ffffffffffffffffffffffffffffffff"};
    for (int i = 0; i < 3; i++) {
        char folder[16];
        snprintf(folder, sizeof folder, "pictures/%.2s", strays[i]);
        mkdir(scratch_path(house->data_dir, folder), 0700);
        scratch_write(house_picture_path(house, strays[i]), "x", 1);
    }
    scratch_write(scratch_path(house->data_dir, "pictures/tmp/half"), "x", 1);
    scratch_write(scratch_path(house->data_dir, "pictures/tmp/half2"), "x", 1);

    struct picture_sweep counts = sweep(fixture);
    assert_int_equal(counts.temporary, 2);
    assert_int_equal(counts.without_row, 3);
    assert_int_equal(counts.without_file, 3);
    assert_int_equal(house_count(house, REC_PICTURE), 10);
    for (int i = 0; i < 10; i++)
        assert_true(scratch_exists(house_picture_path(house, kept[i].id)));
    assert_int_equal(scratch_count_files(scratch_path(house->data_dir, "pictures")), 10);
    counts = sweep(fixture);
    assert_int_equal(counts.temporary + counts.without_row + counts.without_file, 0);
}

static void names_that_are_no_pictures_are_left_alone(void **state)
{
    struct fixture *fixture = *state;
    const char *data_dir = fixture->house.data_dir;
    mkdir(scratch_path(data_dir, "pictures/ab"), 0700);
    scratch_write(scratch_path(data_dir, "pictures/README"), "x", 1);
    scratch_write(scratch_path(data_dir, "pictures/ab/README"), "x", 1);
    /* Right for a picture, but in a folder where none of that name would be looked for. */
    scratch_write(scratch_path(data_dir, "pictures/ab/cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"), "x", 1);
    struct picture_sweep counts = sweep(fixture);
    assert_int_equal(counts.without_row, 0);
    assert_int_equal(scratch_count_files(scratch_path(data_dir, "pictures")), 3);
}

static void note_warning(void *arg, enum log_level level, const char *line)
{
    if (level == LOG_WARN && strstr(line, "mounted") != NULL)
        *(bool *)arg = true;
}

static void rows_stay_when_the_whole_folder_seems_to_be_missing(void **state)
{
    struct fixture *fixture = *state;
    struct house *house = &fixture->house;
    bool warned = false;
    for (int i = 0; i < 17; i++) {
        struct picture picture = house_add_picture(house, HOUSE_NOW, 100);
        unlink(house_picture_path(house, picture.id));
    }
    house_commit(house);
    log_set_sink(note_warning, &warned);
    struct picture_sweep counts = sweep(fixture);
    log_set_sink(NULL, NULL);
    assert_true(warned);
    assert_int_equal(counts.without_file, 0);
    assert_int_equal(house_count(house, REC_PICTURE), 17);
}

static void a_folder_that_cannot_be_read_is_said(void **state)
{
    struct fixture *fixture = *state;
    struct picture_sweep counts;
    struct cause cause = {.text = ""};
    struct house *house = &fixture->house;
    scratch_write(scratch_path(house->data_dir, "pictures/ab"), "x", 1);
    assert_int_equal(pictures_sweep(fixture->pictures, house->store, house->turn, &counts, &cause),
                     ERR_IO);
    assert_non_null(strstr(cause.text, "pictures/ab"));
}

int main(void)
{
#define IN_A_HOUSE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_A_HOUSE(a_folder_in_order_is_left_as_it_is),
        IN_A_HOUSE(what_a_crash_left_between_is_removed),
        IN_A_HOUSE(names_that_are_no_pictures_are_left_alone),
        IN_A_HOUSE(rows_stay_when_the_whole_folder_seems_to_be_missing),
        IN_A_HOUSE(a_folder_that_cannot_be_read_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
