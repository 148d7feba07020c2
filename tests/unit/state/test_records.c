/* SPDX-License-Identifier: MIT
 *
 * The record table: it describes the structs, and copies go as deep as they must.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/batch.h"
#include "state/records.h"
#include "tests/unit/state/store_made.h"

static size_t size_of_type(const struct column *column)
{
    switch (column->type) {
    case COLUMN_TEXT:
        return column->size;
    case COLUMN_TEXT_PTR:
        return sizeof(char *);
    case COLUMN_INT:
        return sizeof(int64_t);
    case COLUMN_BOOL:
        return sizeof(bool);
    case COLUMN_ENUM:
        return sizeof(int);
    }
    return 0;
}

/* Each byte of a struct belongs to one column or is padding, and padding is less than 8 bytes. */
static void columns_cover_the_structs(void **state)
{
    (void)state;
    for (int kind = 0; kind < REC_KINDS; kind++) {
        const struct record_type *type = &record_types[kind];
        size_t end = 0;
        bool keys = true;
        assert_non_null(type->table);
        assert_true(type->columns[0].key);
        for (const struct column *c = type->columns; c->name != NULL; c++) {
            assert_int_equal(c->size, size_of_type(c));
            assert_in_range(c->offset, end, end + 7);
            assert_int_equal(c->type == COLUMN_ENUM, c->names != NULL);
            assert_true(keys || !c->key); /* keys come first */
            keys = c->key;
            end = c->offset + c->size;
        }
        assert_in_range(type->size, end, end + 7);
    }
}

static void times_and_only_times_end_in_at(void **state)
{
    (void)state;
    for (int kind = 0; kind < REC_KINDS; kind++)
        for (const struct column *c = record_types[kind].columns; c->name != NULL; c++) {
            size_t len = strlen(c->name);
            if (len > 3 && strcmp(c->name + len - 3, "_at") == 0)
                assert_int_equal(c->type, COLUMN_INT);
        }
}

static void a_copy_is_equal_and_its_own(void **state)
{
    (void)state;
    srand(3);
    for (int kind = 0; kind < REC_KINDS; kind++)
        for (unsigned i = 0; i < 20; i++) {
            enum record_kind k = (enum record_kind)kind;
            void *record = calloc(1, record_types[kind].size);
            record_fill(k, record, i);
            void *copy = record_copy(k, record);
            records_assert_equal(k, record, copy);
            for (const struct column *c = record_types[kind].columns; c->name != NULL; c++)
                if (c->type == COLUMN_TEXT_PTR)
                    assert_ptr_not_equal(*(char **)(void *)((char *)record + c->offset),
                                         *(char **)(void *)((char *)copy + c->offset));
            record_free(k, record);
            record_free(k, copy);
        }
    record_free(REC_ALERT, NULL);
}

static void names_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(lock_state_name(LOCK_JAMMED), "jammed");
    assert_string_equal(lock_state_name((enum lock_state)99), "?");
    assert_string_equal(presence_name(PRESENCE_AWAY), "away");
    assert_string_equal(command_state_name(COMMAND_UNKNOWN), "unknown");
    assert_string_equal(command_state_name((enum command_state) - 1), "?");
    assert_string_equal(role_name(ROLE_MEMBER), "member");
    assert_int_equal(role_from_name("admin"), ROLE_ADMIN);
    assert_int_equal(role_from_name("none"), ROLE_NONE);
    assert_int_equal(role_from_name("Admin"), ROLE_NONE);
    assert_int_equal(role_from_name(""), ROLE_NONE);
    assert_false(command_state_is_end(COMMAND_QUEUED));
    assert_false(command_state_is_end(COMMAND_SENT));
    assert_false(command_state_is_end(COMMAND_DELIVERED));
    assert_true(command_state_is_end(COMMAND_DONE));
    assert_true(command_state_is_end(COMMAND_CANCELLED));
}

static void a_batch_keeps_order_and_copies(void **state)
{
    (void)state;
    struct batch *batch = batch_new();
    char value[] = "{\"a\":1}";
    struct custom custom = {.key = "k", .value = value, .changed_at = 4};
    for (int i = 0; i < 100; i++) {
        custom.changed_at = i;
        assert_int_equal(batch_add(batch, CHANGE_PUT, REC_CUSTOM, &custom), ERR_OK);
    }
    value[0] = 'x';
    assert_int_equal(batch->count, 100);
    for (int i = 0; i < 100; i++) {
        const struct custom *kept = batch->changes[i].record;
        assert_int_equal(kept->changed_at, i);
        assert_string_equal(kept->value, "{\"a\":1}");
    }
    batch_drop_last(batch);
    assert_int_equal(batch->count, 99);
    batch_free(batch);
    batch_free(NULL);
}

/* Whoever deletes need not set more than the key. */
static void of_a_deletion_only_the_key_counts(void **state)
{
    (void)state;
    struct batch *batch = batch_new();
    struct alert alert;
    memset(&alert, 0x5a, sizeof(alert));
    memcpy(alert.id, "a", 2);
    assert_int_equal(batch_add(batch, CHANGE_DELETE, REC_ALERT, &alert), ERR_OK);
    const struct alert *kept = batch->changes[0].record;
    assert_string_equal(kept->id, "a");
    assert_null(kept->topics);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_cover_the_structs),
        cmocka_unit_test(times_and_only_times_end_in_at),
        cmocka_unit_test(a_copy_is_equal_and_its_own),
        cmocka_unit_test(names_are_those_of_the_contract),
        cmocka_unit_test(a_batch_keeps_order_and_copies),
        cmocka_unit_test(of_a_deletion_only_the_key_counts),
    };
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
