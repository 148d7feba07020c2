/* SPDX-License-Identifier: MIT
 *
 * Askers that share one command, and how many there may be of askers and of commands.
 */
#include "tests/unit/actions/rig.h"

static void the_phones_two_calls_for_one_press_are_one_command(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_mqtt(rig, "unlock device app 2020-07-31 11:03:20.123456");
    rig_ask(rig, "unlock device app", ROLE_MEMBER, &answer);
    assert_int_equal(rig->sent_count, 1);
    assert_int_equal(answer, RIG_WAITING);
    rig_hand_over(rig);
    assert_int_equal(answer, ERR_OK);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS), 1);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_JOINED), 1);
    assert_int_equal(rig_rows(rig, NULL), 2);
    assert_string_equal(rig_last_row(rig)->who, "anna");
    assert_string_equal(rig_last_row(rig)->reason, "joined");
    assert_string_equal(rig_last_row(rig)->command_id, rig_command(rig, "device")->id);
}

static void the_second_call_joins_also_after_the_board_answered(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_app_topic(rig, "unlock_response 0 device app");
    rig_advance(rig, 2999);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_OK);
    assert_int_equal(rig->sent_count, 1);
    rig_advance(rig, 1);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, RIG_WAITING);
    assert_int_equal(rig->sent_count, 2);
}

static void a_second_call_after_a_failure_hears_of_it(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_mqtt(rig, "unlock device");
    commands_link_down(rig->actions);
    rig_settle(rig);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_EXPIRED);
    assert_int_equal(rig->sent_count, 1);
}

static void a_second_call_after_a_refusal_hears_of_it(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_mqtt(rig, "unlock device");
    commands_rejected(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_NOT_HANDED_OVER);
    assert_int_equal(rig->sent_count, 1);
}

static void a_done_lock_is_not_joined(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    rig_hand_over(rig);
    rig_mqtt(rig, "lock_response 0 device app");
    rig_mqtt(rig, "lock device");
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 2);
}

static void nothing_joins_across_the_opposite_command(void **state)
{
    struct rig *rig = *state;
    static const char *const presses[] = {"unlock device", "lock device", "unlock device",
                                          "lock device"};
    for (size_t i = 0; i < 4; i++) {
        rig_mqtt(rig, presses[i]);
        rig_hand_over(rig);
    }
    assert_int_equal(rig->sent_count, 4);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_JOINED), 0);
}

static void the_wall_clock_does_not_decide_about_joining(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_mqtt(rig, "unlock_response 0 device app");
    rig->wall -= 7200000;
    rig->boot += 4000;
    rig_mqtt(rig, "unlock device");
    assert_int_equal(rig->sent_count, 2);
}

static void askers_of_one_command_are_bounded(void **state)
{
    struct rig *rig = *state;
    enum err answers[258];
    for (size_t i = 0; i < 258; i++)
        rig_ask(rig, "unlock device", ROLE_MEMBER, &answers[i]);
    assert_int_equal(answers[255], RIG_WAITING);
    assert_int_equal(answers[256], ERR_LIMIT);
    rig_hand_over(rig);
    assert_int_equal(answers[0], ERR_OK);
    assert_int_equal(answers[255], ERR_OK);
}

static void open_commands_of_one_device_are_bounded(void **state)
{
    struct rig *rig = *state;
    enum err answer = ERR_OK;
    for (int i = 0; i < 33; i++) {
        rig_ask(rig, i % 2 ? "unlock device" : "lock device", ROLE_MEMBER, &answer);
        if (answer == RIG_WAITING)
            rig_hand_over(rig);
    }
    assert_int_equal(answer, ERR_LIMIT);
    assert_int_equal(rig->sent_count, 32);
}

static void many_ended_commands_do_not_pile_up_in_memory(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 100; i++) {
        rig->sent_count = 0;
        rig_mqtt(rig, i % 2 ? "unlock device" : "lock device");
        rig_mqtt(rig, i % 2 ? "unlock_response 0 device app" : "lock_response 0 device app");
    }
    assert_true(registry_count(rig_registry(rig), REC_COMMAND) <= 66);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_board, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_phones_two_calls_for_one_press_are_one_command),
        TEST(the_second_call_joins_also_after_the_board_answered),
        TEST(a_second_call_after_a_failure_hears_of_it),
        TEST(a_second_call_after_a_refusal_hears_of_it),
        TEST(a_done_lock_is_not_joined),
        TEST(nothing_joins_across_the_opposite_command),
        TEST(the_wall_clock_does_not_decide_about_joining),
        TEST(askers_of_one_command_are_bounded),
        TEST(open_commands_of_one_device_are_bounded),
        TEST(many_ended_commands_do_not_pile_up_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
