/* SPDX-License-Identifier: MIT */
#include "mqtt/mqtt_client.h"

#include "server/base/secret.h"
#include "tests/unit/mqtt/mqtt_cmocka.h"
#include "tests/unit/mqtt/mqtt_fixture.h"

static void what_lay_unread_for_seconds_is_marked_late_and_what_comes_after_it_is_not(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    mqf_fake_open(&fake);
    mqf_open(&f, fake.port);
    mqf_start(&f);
    mqf_fake_accept(&f, &fake);
    mqf_fake_welcome(&f, &fake, 1);
    f.may_read = false;
    mqtt_client_pump(f.client);
    mqf_fake_publish(&fake, "toserver", "unlock", 1, 7);
    mqf_spin(&f, 2200);
    f.may_read = true;
    mqtt_client_pump(f.client);
    assert_int_equal(f.messages, 1);
    assert_true(f.late);
    mqf_fake_publish(&fake, "toserver", "unlock", 1, 8);
    assert_true(mqf_until_count(&f, &f.messages, 2));
    assert_false(f.late);

    f.may_read = false;
    mqtt_client_pump(f.client);
    mqf_fake_publish(&fake, "toserver", "unlock", 1, 9);
    mqf_spin(&f, 20);
    f.may_read = true;
    mqtt_client_pump(f.client);
    assert_int_equal(f.messages, 3);
    assert_false(f.late);
    mqf_fake_hang_up(&fake);
    mqf_close(&f);
    mqf_fake_close(&fake);
}

int main(void)
{
    if (secret_init() != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lay_unread_for_seconds_is_marked_late_and_what_comes_after_it_is_not),
    };
    return cmocka_run_group_tests_name("mqtt_link", tests, NULL, NULL);
}
