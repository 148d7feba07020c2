/* SPDX-License-Identifier: MIT */
#include "mqtt/mqtt_client.h"

#include "server/base/secret.h"
#include "tests/unit/mqtt/mqtt_cmocka.h"
#include "tests/unit/mqtt/mqtt_stage.h"

static void what_lay_unread_for_seconds_is_marked_late_and_what_comes_after_it_is_not(void **state)
{
    struct stage *s = *state;
    s->f.may_read = false;
    mqtt_client_pump(s->f.client);
    mqf_fake_publish(&s->fake, "toserver", "unlock", 1, 7);
    mqf_spin(&s->f, 2200);
    s->f.may_read = true;
    mqtt_client_pump(s->f.client);
    assert_int_equal(s->f.messages, 1);
    assert_true(s->f.late);
    mqf_fake_publish(&s->fake, "toserver", "unlock", 1, 8);
    STAGE_HEARD(s, 2);
    assert_false(s->f.late);

    s->f.may_read = false;
    mqtt_client_pump(s->f.client);
    mqf_fake_publish(&s->fake, "toserver", "unlock", 1, 9);
    mqf_spin(&s->f, 20);
    s->f.may_read = true;
    mqtt_client_pump(s->f.client);
    assert_int_equal(s->f.messages, 3);
    assert_false(s->f.late);
}

int main(void)
{
    if (secret_init() != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_lay_unread_for_seconds_is_marked_late_and_what_comes_after_it_is_not,
            stage_up_on_fake, stage_end),
    };
    return cmocka_run_group_tests_name("mqtt_link", tests, NULL, NULL);
}
