/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/log.h"
#include "state/pictures.h"
#include "tests/unit/state/house.h"
#include "tests/unit/state/scratch.h"

#define DAY INT64_C(86400000)

struct fixture {
    struct house house;
    struct pictures *pictures;
    int lines;      /* of the log, about removed pictures */
    char line[256]; /* the last of them */
};

static void note_line(void *arg, enum log_level level, const char *line)
{
    struct fixture *fixture = arg;
    if (level != LOG_INFO || strstr(line, " removed: ") == NULL)
        return;
    fixture->lines++;
    snprintf(fixture->line, sizeof fixture->line, "%s", line);
}

static struct fixture *open_house(int64_t keep_bytes, int64_t keep_ms)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    house_open(&fixture->house);
    struct pictures_options options = {.data_dir = fixture->house.data_dir,
                                       .post = loop_queue_post(&fixture->house.loop),
                                       .max_bytes = 100000,
                                       .keep_bytes = keep_bytes,
                                       .keep_ms = keep_ms};
    assert_int_equal(pictures_new(&options, &fixture->pictures, NULL), ERR_OK);
    log_set_sink(note_line, fixture);
    return fixture;
}

static void close_house(struct fixture *fixture)
{
    log_set_sink(NULL, NULL);
    pictures_free(fixture->pictures);
    house_close(&fixture->house);
    free(fixture);
}

/* One whole run: the query has answered, its turn is committed, and the files are gone. */
static void retain(struct fixture *fixture)
{
    struct house *house = &fixture->house;
    pictures_retain(fixture->pictures, house->store, house->turn, HOUSE_NOW);
    house_count(house, REC_PICTURE); /* queries are answered in order */
    house_commit(house);
}

/* After this all removals that were asked for are done. */
static void end_pictures(struct fixture *fixture)
{
    pictures_free(fixture->pictures);
    fixture->pictures = NULL;
}

static size_t count_files(struct fixture *fixture)
{
    return scratch_count_files(scratch_path(fixture->house.data_dir, "pictures"));
}

static void what_is_too_old_goes_and_the_rest_stays(void **state)
{
    (void)state;
    struct fixture *fixture = open_house(0, 10 * DAY);
    struct house *house = &fixture->house;
    struct picture old = house_add_picture(house, HOUSE_NOW - 11 * DAY, 100);
    struct picture edge = house_add_picture(house, HOUSE_NOW - 10 * DAY, 100);
    struct picture fresh = house_add_picture(house, HOUSE_NOW, 100);
    house_commit(house);
    retain(fixture);
    end_pictures(fixture);
    assert_false(scratch_exists(house_picture_path(house, old.id)));
    assert_true(scratch_exists(house_picture_path(house, edge.id)));
    assert_true(scratch_exists(house_picture_path(house, fresh.id)));
    assert_int_equal(house_count(house, REC_PICTURE), 2);
    assert_int_equal(fixture->lines, 1);
    assert_non_null(strstr(fixture->line, "1 pictures"));
    assert_non_null(strstr(fixture->line, "1 older than 10.0 days, 0 over the limit"));
    close_house(fixture);
}

static void what_is_over_the_bytes_goes_oldest_first(void **state)
{
    (void)state;
    struct fixture *fixture = open_house(2500, 0);
    struct house *house = &fixture->house;
    struct picture pictures[5];
    for (int i = 0; i < 5; i++) /* the newest first, so that order of rows isn't order of age */
        pictures[i] = house_add_picture(house, HOUSE_NOW - i * DAY, 1000);
    house_commit(house);
    retain(fixture);
    end_pictures(fixture);
    for (int i = 0; i < 5; i++)
        assert_int_equal(scratch_exists(house_picture_path(house, pictures[i].id)), i < 2);
    assert_int_equal(house_count(house, REC_PICTURE), 2);
    assert_non_null(strstr(fixture->line, "3 pictures"));
    assert_non_null(strstr(fixture->line, "3 over the limit"));
    close_house(fixture);
}

static void within_the_limits_nothing_goes_and_nothing_is_said(void **state)
{
    (void)state;
    struct fixture *fixture = open_house(3000, DAY);
    for (int i = 0; i < 3; i++)
        house_add_picture(&fixture->house, HOUSE_NOW, 1000);
    house_commit(&fixture->house);
    retain(fixture);
    end_pictures(fixture);
    assert_int_equal(count_files(fixture), 3);
    assert_int_equal(fixture->lines, 0);
    close_house(fixture);
}

static void without_limits_nothing_goes(void **state)
{
    (void)state;
    struct fixture *fixture = open_house(0, 0);
    house_add_picture(&fixture->house, 1, 1000);
    house_commit(&fixture->house);
    retain(fixture);
    end_pictures(fixture);
    assert_int_equal(count_files(fixture), 1);
    close_house(fixture);
}

static void a_run_takes_no_more_than_500(void **state)
{
    (void)state;
    struct fixture *fixture = open_house(0, DAY);
    for (int i = 0; i < 510; i++)
        house_add_picture(&fixture->house, HOUSE_NOW - 2 * DAY, 100);
    house_commit(&fixture->house);
    retain(fixture);
    assert_int_equal(house_count(&fixture->house, REC_PICTURE), 10);
    retain(fixture);
    assert_int_equal(house_count(&fixture->house, REC_PICTURE), 0);
    end_pictures(fixture);
    assert_int_equal(count_files(fixture), 0);
    close_house(fixture);
}

static void while_held_nothing_goes(void **state)
{
    (void)state;
    struct fixture *fixture = open_house(0, DAY);
    struct house *house = &fixture->house;
    house_add_picture(house, 1, 1000);
    house_commit(house);
    pictures_hold(fixture->pictures, true);
    retain(fixture);
    assert_int_equal(house_count(house, REC_PICTURE), 1);
    pictures_hold(fixture->pictures, false);

    /* The hold comes while the query is under way. */
    pictures_retain(fixture->pictures, house->store, house->turn, HOUSE_NOW);
    pictures_hold(fixture->pictures, true);
    assert_int_equal(house_count(house, REC_PICTURE), 1);
    house_commit(house);
    assert_int_equal(house_count(house, REC_PICTURE), 1);
    pictures_hold(fixture->pictures, false);

    retain(fixture);
    assert_int_equal(house_count(house, REC_PICTURE), 0);
    end_pictures(fixture);
    assert_int_equal(count_files(fixture), 0);
    close_house(fixture);
}

/* The failed commit first, then the reload. */
static void note_reload(void *arg, enum err result)
{
    *(bool *)arg = result == ERR_OK;
}

static void files_stay_when_the_commit_fails(void **state)
{
    (void)state;
    bool reloaded = false;
    struct fixture *fixture = open_house(0, DAY);
    struct house *house = &fixture->house;
    house_add_picture(house, 1, 1000);
    house_commit(house);
    store_fail_commits(house->store, 1, ERR_DISK_FULL);
    pictures_retain(fixture->pictures, house->store, house->turn, HOUSE_NOW);
    turn_on_settled(house->turn, note_reload, &reloaded);
    loop_queue_wait(&house->loop, &reloaded);
    assert_int_equal(house_count(house, REC_PICTURE), 1);
    end_pictures(fixture);
    assert_int_equal(count_files(fixture), 1);
    assert_int_equal(fixture->lines, 0);
    close_house(fixture);
}

static void a_run_under_way_survives_the_end_of_the_pictures(void **state)
{
    (void)state;
    struct fixture *fixture = open_house(0, DAY);
    struct house *house = &fixture->house;
    house_add_picture(house, 1, 1000);
    house_commit(house);
    pictures_retain(fixture->pictures, house->store, house->turn, HOUSE_NOW);
    end_pictures(fixture);
    house_stop(house);
    assert_int_equal(count_files(fixture), 1);
    close_house(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_too_old_goes_and_the_rest_stays),
        cmocka_unit_test(what_is_over_the_bytes_goes_oldest_first),
        cmocka_unit_test(within_the_limits_nothing_goes_and_nothing_is_said),
        cmocka_unit_test(without_limits_nothing_goes),
        cmocka_unit_test(a_run_takes_no_more_than_500),
        cmocka_unit_test(while_held_nothing_goes),
        cmocka_unit_test(files_stay_when_the_commit_fails),
        cmocka_unit_test(a_run_under_way_survives_the_end_of_the_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
