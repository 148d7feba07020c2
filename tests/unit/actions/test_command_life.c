/* SPDX-License-Identifier: MIT
 *
 * The ends of commands: the device's answer, the two clocks, lost links, a start after a kill,
 * a reload after a failed commit.
 */
#include "tests/unit/actions/rig.h"

#include <string.h>

static enum command_state state_of(struct rig *rig)
{
    return rig_command(rig, "device")->state;
}

static enum lock_state lock_of(struct rig *rig)
{
    return registry_device(rig_registry(rig), "device")->lock;
}

static void the_device_says_yes(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device app 1");
    rig_hand_over(rig);
    rig->wall += 700;
    rig_app_topic(rig, "unlock_response 0 device app");
    assert_int_equal(state_of(rig), COMMAND_DONE);
    assert_int_equal(rig_command(rig, "device")->ended_at, RIG_WALL + 700);
    const struct device *device = registry_device(rig_registry(rig), "device");
    assert_int_equal(device->lock, LOCK_UNLOCKED);
    assert_int_equal(device->changed_at, RIG_WALL + 700);
    assert_int_equal(device->seen_at, RIG_WALL + 700);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_DONE), 1);
    assert_string_equal(rig_last_row(rig)->way, "device");
    assert_string_equal(rig_last_row(rig)->outcome, "done");
    assert_string_equal(rig_last_row(rig)->command_id, rig_command(rig, "device")->id);
    rig_mqtt(rig, "lock device");
    rig_hand_over(rig);
    rig_mqtt(rig, "lock_response 0 device app"); /* boards may use toserver as well */
    assert_int_equal(lock_of(rig), LOCK_LOCKED);
}

static void the_device_says_no(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    rig_hand_over(rig);
    rig_app_topic(rig, "lock_response 0 device app");
    rig->wall += 1000;
    rig_mqtt(rig, "unlock device app 1");
    rig_hand_over(rig);
    rig_app_topic(rig, "unlock_response 1 device app");
    assert_int_equal(state_of(rig), COMMAND_FAILED);
    assert_int_equal(lock_of(rig), LOCK_LOCKED);
    assert_int_equal(registry_device(rig_registry(rig), "device")->changed_at, RIG_WALL);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_FAILED), 1);
}

static void asking_does_not_change_the_lock(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    assert_int_equal(lock_of(rig), LOCK_UNKNOWN);
}

static void an_answer_that_overtakes_the_broker_counts_as_handover(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    rig_app_topic(rig, "unlock_response 0 device app");
    assert_int_equal(answer, ERR_OK);
    commands_handed_over(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
    assert_int_equal(state_of(rig), COMMAND_DONE);
    rig_advance(rig, 2000);
    assert_int_equal(rig->drops, 0);
}

static void a_second_answer_is_counted_and_changes_nothing(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_app_topic(rig, "unlock_response 0 device app");
    rig_app_topic(rig, "unlock_response 1 device app");
    assert_int_equal(state_of(rig), COMMAND_DONE);
    assert_int_equal(rig_counter(rig, COUNTER_ANSWERS_DOUBLED), 1);
    assert_int_equal(rig_counter(rig, COUNTER_ANSWERS_UNMATCHED), 0);
    rig_advance(rig, 60000);
    rig_app_topic(rig, "unlock_response 0 device app");
    assert_int_equal(rig_counter(rig, COUNTER_ANSWERS_DOUBLED), 1);
    assert_int_equal(rig_counter(rig, COUNTER_ANSWERS_UNMATCHED), 1);
}

static void an_answer_that_nobody_asked_for_is_counted(void **state)
{
    struct rig *rig = *state;
    rig_app_topic(rig, "unlock_response 0 device app");
    rig_mqtt(rig, "lock device");
    rig_app_topic(rig, "unlock_response 0 device app");
    rig_app_topic(rig, "unlock_response 0 nobody app");
    assert_int_equal(rig_counter(rig, COUNTER_ANSWERS_UNMATCHED), 3);
    assert_int_equal(lock_of(rig), LOCK_UNKNOWN);
    assert_int_equal(state_of(rig), COMMAND_SENT);
    assert_null(registry_device(rig_registry(rig), "nobody"));
}

static void no_answer_in_time_is_unknown(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_advance(rig, 9999);
    assert_int_equal(state_of(rig), COMMAND_DELIVERED);
    assert_true(actions_next_due(rig->actions) <= rig->boot + 1);
    rig_advance(rig, 1);
    assert_int_equal(state_of(rig), COMMAND_UNKNOWN);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_UNKNOWN), 1);
    assert_string_equal(rig_last_row(rig)->outcome, "unknown");
}

static void a_late_answer_still_tells_the_state_of_the_lock(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_advance(rig, 10000);
    rig_app_topic(rig, "unlock_response 0 device app");
    assert_int_equal(state_of(rig), COMMAND_UNKNOWN);
    assert_int_equal(lock_of(rig), LOCK_UNLOCKED);
    assert_int_equal(rig_counter(rig, COUNTER_ANSWERS_UNMATCHED), 1);
    rig_advance(rig, 60000);
    rig_app_topic(rig, "unlock_response 0 device app");
    assert_int_equal(rig_counter(rig, COUNTER_ANSWERS_UNMATCHED), 2);
}

static void a_kept_lock_expires_after_five_minutes(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "lock device");
    rig_advance(rig, 299999);
    assert_int_equal(state_of(rig), COMMAND_QUEUED);
    rig_advance(rig, 1);
    assert_int_equal(state_of(rig), COMMAND_EXPIRED);
    rig_link_up(rig);
    assert_int_equal(rig->sent_count, 0);
}

static void a_kept_lock_is_not_sent_late_though_no_tick_came(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "lock device");
    rig->boot += 300000;
    rig_link_up(rig);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(state_of(rig), COMMAND_EXPIRED);
}

static void a_wall_clock_that_jumps_back_prolongs_nothing(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig->wall = 0;
    rig->boot += 10000;
    commands_tick(rig->actions);
    rig_settle(rig);
    assert_int_equal(state_of(rig), COMMAND_UNKNOWN);
}

static void a_wall_clock_that_jumps_ahead_ends_it_at_the_next_look(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "lock device");
    rig->wall += 3600000;
    rig_advance(rig, 1000);
    assert_int_equal(state_of(rig), COMMAND_EXPIRED);
}

static void sleep_of_the_machine_counts(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "lock device");
    rig->boot += 300000; /* CLOCK_BOOTTIME went on, nothing ran, the wall clock is wrong */
    commands_tick(rig->actions);
    rig_settle(rig);
    assert_int_equal(state_of(rig), COMMAND_EXPIRED);
}

static void a_lost_link_ends_an_unlock_that_was_not_taken_as_expired(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    commands_link_down(rig->actions);
    rig_settle(rig);
    assert_int_equal(answer, ERR_NO_LINK);
    assert_int_equal(state_of(rig), COMMAND_EXPIRED);
    rig_link_up(rig);
    assert_int_equal(rig->sent_count, 1);
}

static void a_lost_link_ends_an_unlock_that_was_taken_as_unknown(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    commands_taken(rig->actions, rig_last(rig)->tag);
    commands_link_down(rig->actions);
    rig_settle(rig);
    assert_int_equal(state_of(rig), COMMAND_UNKNOWN);
}

static void a_lost_link_leaves_a_delivered_one_waiting_for_its_answer(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    commands_link_down(rig->actions);
    rig_settle(rig);
    assert_int_equal(state_of(rig), COMMAND_DELIVERED);
    rig_app_topic(rig, "unlock_response 0 device app");
    assert_int_equal(state_of(rig), COMMAND_DONE);
}

static void a_lost_link_keeps_a_lock(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    commands_link_down(rig->actions);
    rig_settle(rig);
    assert_int_equal(state_of(rig), COMMAND_QUEUED);
    rig_link_up(rig);
    assert_int_equal(rig->sent_count, 2);
}

static void a_lost_link_does_not_keep_a_lock_that_an_unlock_replaced(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    rig_mqtt(rig, "unlock device");
    commands_link_down(rig->actions);
    rig_settle(rig);
    rig_link_up(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 1);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
}

static void after_a_start_an_unlock_that_was_sent_is_unknown(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig->sent_count = 0;
    rig_restart(rig);
    assert_int_equal(state_of(rig), COMMAND_UNKNOWN);
    commands_link_up(rig->actions);
    rig_advance(rig, 1000);
    assert_int_equal(rig->sent_count, 0);
    /* Its answer may still come, and the phone's second call must not open again. */
    rig_app_topic(rig, "unlock_response 0 device app");
    assert_int_equal(lock_of(rig), LOCK_UNLOCKED);
    rig_mqtt(rig, "unlock device");
    assert_int_equal(rig->sent_count, 0);
}

static void after_a_start_a_delivered_unlock_is_unknown(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_restart(rig);
    assert_int_equal(state_of(rig), COMMAND_UNKNOWN);
}

static void after_a_start_a_lock_goes_on(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "lock device");
    rig_restart(rig);
    assert_int_equal(state_of(rig), COMMAND_QUEUED);
    rig_link_up(rig);
    assert_int_equal(rig->sent_count, 1);
    rig->link = false;
    rig_restart(rig); /* sent, and nobody knows whether it arrived */
    rig_link_up(rig);
    assert_int_equal(rig->sent_count, 2);
    rig_hand_over(rig);
    turn_tick(rig->turn);
    rig_settle(rig);
    rig_restart(rig);
    assert_int_equal(state_of(rig), COMMAND_DELIVERED);
    assert_int_equal(rig->sent_count, 2);
}

static void after_a_start_in_another_boot_the_wall_clock_decides(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "lock device");
    memcpy(rig->clock.boot_id, "b2", 3);
    rig->boot = 1000; /* says nothing about the other boot's expiry */
    rig->wall += 299000;
    rig_restart(rig);
    assert_int_equal(state_of(rig), COMMAND_QUEUED);
    rig->wall += 1000;
    rig_restart(rig);
    assert_int_equal(state_of(rig), COMMAND_EXPIRED);
}

static void in_another_boot_with_a_clock_from_before_it_nothing_is_sent(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "lock device");
    memcpy(rig->clock.boot_id, "b2", 3);
    rig->wall -= 1;
    rig_restart(rig);
    assert_int_equal(state_of(rig), COMMAND_EXPIRED);
}

static void in_the_same_boot_the_boot_clock_says_later(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "lock device");
    rig->boot += 300000;
    rig->wall -= 5000;
    rig_restart(rig);
    assert_int_equal(state_of(rig), COMMAND_EXPIRED);
}

static void a_failed_commit_of_a_handover_ends_in_truth(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    rig->by_hand = true;
    commands_handed_over(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
    rig->fail = ERR_NOT_KEPT;
    rig_answer(rig);
    assert_int_equal(answer, ERR_NOT_KEPT);
    rig_answer(rig); /* the reload: the store knows it as sent */
    assert_int_equal(state_of(rig), COMMAND_SENT);
    commands_recover(rig->actions); /* changes are still refused */
    assert_int_equal(state_of(rig), COMMAND_SENT);
    rig->fail = ERR_OK;
    turn_tick(rig->turn);
    rig_answer(rig); /* the probe */
    rig->by_hand = false;
    rig_advance(rig, 100); /* the recovery that could not be kept before */
    assert_int_equal(state_of(rig), COMMAND_UNKNOWN);
    assert_int_equal(rig->sent_count, 1);
}

static void a_reload_tells_who_waits_for_what_is_gone(void **state)
{
    struct rig *rig = *state;
    enum err committed, lost;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &committed);
    rig->by_hand = true;
    rig_ask(rig, "lock device", ROLE_MEMBER, &lost);
    rig->fail = ERR_DISK_FULL;
    rig_answer(rig);
    assert_int_equal(lost, ERR_DISK_FULL);
    rig_answer(rig);
    rig->fail = ERR_OK;
    turn_tick(rig->turn);
    rig_answer(rig);
    rig->by_hand = false;
    commands_recover(rig->actions);
    rig_settle(rig);
    assert_int_equal(committed, ERR_NOT_KEPT);
    assert_int_equal(state_of(rig), COMMAND_UNKNOWN);
    assert_int_equal(rig->sent_count, 1);
}

static void an_ended_command_is_forgotten_after_a_minute(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_app_topic(rig, "unlock_response 0 device app");
    rig_advance(rig, 59000);
    assert_int_equal(registry_count(rig_registry(rig), REC_COMMAND), 1);
    rig_advance(rig, 1000);
    assert_int_equal(registry_count(rig_registry(rig), REC_COMMAND), 0);
    assert_int_equal(actions_next_due(rig->actions), INT64_MAX);
}

static void an_answer_shows_that_the_device_is_not_away(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    rig_hand_over(rig);
    rig_presence(rig, "device", PRESENCE_AWAY);
    rig_app_topic(rig, "lock_response 0 device app");
    assert_int_equal(registry_device(rig_registry(rig), "device")->presence, PRESENCE_UNKNOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_board, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_device_says_yes),
        TEST(the_device_says_no),
        TEST(asking_does_not_change_the_lock),
        TEST(an_answer_that_overtakes_the_broker_counts_as_handover),
        TEST(a_second_answer_is_counted_and_changes_nothing),
        TEST(an_answer_that_nobody_asked_for_is_counted),
        TEST(no_answer_in_time_is_unknown),
        TEST(a_late_answer_still_tells_the_state_of_the_lock),
        TEST(a_kept_lock_expires_after_five_minutes),
        TEST(a_kept_lock_is_not_sent_late_though_no_tick_came),
        TEST(a_wall_clock_that_jumps_back_prolongs_nothing),
        TEST(a_wall_clock_that_jumps_ahead_ends_it_at_the_next_look),
        TEST(sleep_of_the_machine_counts),
        TEST(a_lost_link_ends_an_unlock_that_was_not_taken_as_expired),
        TEST(a_lost_link_ends_an_unlock_that_was_taken_as_unknown),
        TEST(a_lost_link_leaves_a_delivered_one_waiting_for_its_answer),
        TEST(a_lost_link_keeps_a_lock),
        TEST(a_lost_link_does_not_keep_a_lock_that_an_unlock_replaced),
        TEST(after_a_start_an_unlock_that_was_sent_is_unknown),
        TEST(after_a_start_a_delivered_unlock_is_unknown),
        TEST(after_a_start_a_lock_goes_on),
        TEST(after_a_start_in_another_boot_the_wall_clock_decides),
        TEST(in_another_boot_with_a_clock_from_before_it_nothing_is_sent),
        TEST(in_the_same_boot_the_boot_clock_says_later),
        TEST(a_failed_commit_of_a_handover_ends_in_truth),
        TEST(a_reload_tells_who_waits_for_what_is_gone),
        TEST(an_ended_command_is_forgotten_after_a_minute),
        TEST(an_answer_shows_that_the_device_is_not_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
