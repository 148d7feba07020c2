/* SPDX-License-Identifier: MIT
 *
 * A lock that could not go at once goes later, and once more when nobody answered it; an unlock
 * never does.
 */
#include "tests/unit/actions/rig.h"

#include <string.h>

static void a_lock_that_the_broker_did_not_take_goes_out_with_the_next_link(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer);
    rig_advance(rig, 1000);
    assert_int_equal(answer, ERR_NOT_HANDED_OVER);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_QUEUED);
    rig_link_up(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 2);
    assert_int_equal(rig_last(rig)->expiry_s, 299);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_SENT);
}

static void a_kept_lock_is_sent_once_however_links_and_commits_interleave(void **state)
{
    struct rig *rig = *state;
    rig->by_hand = true;
    rig_mqtt(rig, "lock device");
    commands_link_down(rig->actions);
    commands_link_up(rig->actions);
    rig_answer_all(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 1);
}

static void a_lock_without_a_link_is_kept_and_the_asker_told_at_once(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->link = false;
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_NO_LINK);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_QUEUED);
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer); /* joins */
    assert_int_equal(answer, ERR_NO_LINK);
    rig_link_up(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 1);
}

static void a_lock_for_a_device_that_is_away_goes_out_when_it_is_back(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_presence(rig, "device", PRESENCE_AWAY);
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_AWAY);
    rig_link_up(rig);
    assert_int_equal(rig->sent_count, 0);
    rig_mqtt(rig, RIG_HAND_SHAKE);
    assert_int_equal(rig->sent_count, 2);
    assert_string_equal(rig->sent[0].payload, "hand_shake app device 0");
    assert_string_equal(rig->sent[1].payload, "lock");
}

static void a_kept_lock_is_cancelled_by_a_newer_unlock(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->link = false;
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer);
    char id[SECRET_ID_SIZE];
    memcpy(id, rig_command(rig, "device")->id, sizeof id);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer); /* refused: no command */
    assert_int_equal(registry_command(rig_registry(rig), id)->state, COMMAND_QUEUED);
    rig->link = true; /* subscribed, but commands_link_up() is yet to come */
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(registry_command(rig_registry(rig), id)->state, COMMAND_CANCELLED);
    rig_link_up(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 0);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
}

static void a_delivered_lock_without_answer_goes_out_again_when_the_board_is_back(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    rig_hand_over(rig);
    rig_mqtt(rig, RIG_HAND_SHAKE);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 2);
    rig_hand_over(rig);
    rig_mqtt(rig, "lock_response 0 device app");
    rig_mqtt(rig, RIG_HAND_SHAKE);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 2);
}

static void a_lock_is_not_sent_again_after_a_newer_unlock(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    rig_hand_over(rig);
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_mqtt(rig, "unlock_response 0 device app");
    rig_mqtt(rig, RIG_HAND_SHAKE);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 1);
    assert_int_equal(registry_command(rig_registry(rig), rig->sent[0].tag)->state,
                     COMMAND_DELIVERED);
}

static void an_unlock_is_never_sent_again(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    rig_hand_over(rig);
    rig_mqtt(rig, RIG_HAND_SHAKE);
    commands_link_down(rig->actions);
    commands_link_up(rig->actions);
    commands_awake(rig->actions);
    rig_settle(rig);
    rig_restart(rig);
    commands_link_up(rig->actions);
    rig_advance(rig, 100);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_board, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_that_the_broker_did_not_take_goes_out_with_the_next_link),
        TEST(a_kept_lock_is_sent_once_however_links_and_commits_interleave),
        TEST(a_lock_without_a_link_is_kept_and_the_asker_told_at_once),
        TEST(a_lock_for_a_device_that_is_away_goes_out_when_it_is_back),
        TEST(a_kept_lock_is_cancelled_by_a_newer_unlock),
        TEST(a_delivered_lock_without_answer_goes_out_again_when_the_board_is_back),
        TEST(a_lock_is_not_sent_again_after_a_newer_unlock),
        TEST(an_unlock_is_never_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
