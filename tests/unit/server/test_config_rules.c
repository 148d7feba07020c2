/* SPDX-License-Identifier: MIT
 *
 * Rules between the configuration's keys, and what is worked out from them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "actions/action.h"
#include "tests/unit/server/config_made.h"

static void open_server_off_loopback_needs_a_word(void **state)
{
    struct made *made = *state;
    assert_true(made_load_json(made, "{\"http\":{\"auth\":\"none\"}}"));
    assert_false(made_load_json(made, "{\"http\":{\"auth\":\"none\",\"listen\":\"0.0.0.0\"}}"));
    made_assert_said(made, "http.auth");
    made_assert_said(made, "http.insecure");
    assert_false(made_load_json(made, "{\"http\":{\"auth\":\"none\",\"listen\":\"::\"}}"));
    assert_true(made_load_json(
        made, "{\"http\":{\"auth\":\"none\",\"listen\":\"0.0.0.0\",\"insecure\":true}}"));
    assert_true(made_load_json(made, "{\"http\":{\"listen\":\"0.0.0.0\"}}"));
}

static void broker_address_is_parsed(void **state)
{
    struct made *made = *state;
    static const struct {
        const char *set, *host;
        int port;
        bool tls;
    } taken[] = {
        {"mqtt.broker=mqtt://broker.example", "broker.example", 1883, false},
        {"mqtt.broker=mqtt://broker.example:1", "broker.example", 1, false},
        {"mqtt.broker=mqtts://10.0.0.1", "10.0.0.1", 8883, true},
        {"mqtt.broker=mqtts://10.0.0.1:65535/", "10.0.0.1", 65535, true},
        {"mqtt.broker=mqtt://[fd00::1]", "fd00::1", 1883, false},
        {"mqtt.broker=mqtts://[::1]:18883", "::1", 18883, true},
    };
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        assert_true(made_load_set(made, taken[i].set));
        assert_false(made->config.broker_embedded);
        assert_string_equal(made->config.broker_host, taken[i].host);
        assert_int_equal(made->config.broker_port, taken[i].port);
        assert_int_equal(made->config.broker_tls, taken[i].tls);
    }
    static const char *const refused[] = {"mqtt.broker=",
                                          "mqtt.broker=Embedded",
                                          "mqtt.broker=mqtt://",
                                          "mqtt.broker=mqtt://:1883",
                                          "mqtt.broker=mqtt://h:0",
                                          "mqtt.broker=mqtt://h:65536",
                                          "mqtt.broker=mqtt://h:",
                                          "mqtt.broker=mqtt://h:1x",
                                          "mqtt.broker=mqtt://h/topic",
                                          "mqtt.broker=mqtt://u@h",
                                          "mqtt.broker=mqtt://[::1",
                                          "mqtt.broker=mqtt://[zz]",
                                          "mqtt.broker=mqtt://::1",
                                          "mqtt.broker=tcp://h",
                                          "mqtt.broker=h:1883",
                                          "mqtt.broker=mqtt://[::1]1883",
                                          "mqtt.broker=mqtt://h//"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (made_load_set(made, refused[i]))
            fail_msg("taken: %s", refused[i]);
        made_assert_said(made, "mqtt.broker: must be");
        assert_int_equal(made->faults.count, 1);
    }
}

static void keys_of_the_other_kind_of_broker_are_refused(void **state)
{
    struct made *made = *state;
    static const char *const outside_only[] = {"mqtt.username", "mqtt.ca_file"};
    for (size_t i = 0; i < 2; i++) {
        char set[64];
        snprintf(set, sizeof set, "%s=x", outside_only[i]);
        assert_false(made_load_set(made, set));
        made_assert_said(made, outside_only[i]);
    }
    assert_false(made_load_set(made, "mqtt.password=x"));
    made_assert_said(made, "mqtt.password: only for a broker that is not embedded");
    const char *const with_tls[] = {"mqtt.broker=mqtt://h", "mqtt.tls.port=8883", "mqtt.tls.cert=c",
                                    "mqtt.tls.key=k", NULL};
    assert_false(made_load(made, NULL, NULL, with_tls));
    made_assert_said(made, "mqtt.tls: only for the embedded broker");
    const char *const plain_with_ca[] = {"mqtt.broker=mqtt://h", "mqtt.ca_file=x", NULL};
    assert_false(made_load(made, NULL, NULL, plain_with_ca));
    const char *const fine[] = {"mqtt.broker=mqtts://h", "mqtt.ca_file=x", "mqtt.username=u",
                                "mqtt.password=p", NULL};
    assert_true(made_load(made, NULL, NULL, fine));
}

static void certificate_and_key_go_together(void **state)
{
    struct made *made = *state;
    assert_false(made_load_json(made, "{\"mqtt\":{\"tls\":{\"port\":8883}}}"));
    made_assert_said(made, "mqtt.tls.port: needs");
    assert_false(made_load_json(made, "{\"mqtt\":{\"tls\":{\"port\":8883,\"cert\":\"c\"}}}"));
    made_assert_said(made, "mqtt.tls.key: missing");
    assert_false(made_load_json(made, "{\"mqtt\":{\"tls\":{\"port\":8883,\"key\":\"k\"}}}"));
    made_assert_said(made, "mqtt.tls.cert: missing");
    assert_false(made_load_json(made, "{\"mqtt\":{\"tls\":{\"cert\":\"c\",\"key\":\"k\"}}}"));
    made_assert_said(made, "mqtt.tls.port: must be");
    const char *same = "{\"mqtt\":{\"tls\":{\"port\":1883,\"cert\":\"c\",\"key\":\"k\"}}}";
    assert_false(made_load_json(made, same));
    made_assert_said(made, "must differ");
    const char *fine = "{\"mqtt\":{\"tls\":{\"port\":8883,\"cert\":\"c\",\"key\":\"k\"}}}";
    assert_true(made_load_json(made, fine));
    assert_false(made_load_json(made, "{\"http\":{\"tls\":{\"cert\":\"c\",\"key\":\"k\"}}}"));
    made_assert_said(made, "not available in this version: put a TLS proxy in front");
}

static void pairing_and_anonymous_go_by_the_broker_unless_given(void **state)
{
    struct made *made = *state;
    static const struct {
        const char *json;
        enum pairing pairing;
        enum anonymous_may anonymous;
    } pairs[] = {
        {"{}", PAIRING_OPEN, ANONYMOUS_ALL},
        {"{\"mqtt\":{\"listen\":\"::1\"}}", PAIRING_OPEN, ANONYMOUS_ALL},
        {"{\"mqtt\":{\"listen\":\"0.0.0.0\"}}", PAIRING_WINDOW, ANONYMOUS_NOTHING},
        {"{\"mqtt\":{\"broker\":\"mqtt://broker.example\"}}", PAIRING_WINDOW, ANONYMOUS_NOTHING},
        {"{\"mqtt\":{\"broker\":\"mqtt://127.0.0.1\"}}", PAIRING_OPEN, ANONYMOUS_NOTHING},
        {"{\"pairing\":\"\",\"mqtt\":{\"anonymous\":\"\"}}", PAIRING_OPEN, ANONYMOUS_ALL},
        {"{\"pairing\":\"closed\",\"mqtt\":{\"anonymous\":\"hand_shake\"}}", PAIRING_CLOSED,
         ANONYMOUS_HAND_SHAKE},
        {"{\"pairing\":\"open\",\"mqtt\":{\"listen\":\"0.0.0.0\",\"anonymous\":\"all\"}}",
         PAIRING_OPEN, ANONYMOUS_ALL},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_true(made_load_json(made, pairs[i].json));
        assert_int_equal(made->config.pairing, 1 + (int)pairs[i].pairing);
        assert_int_equal(made->config.mqtt_anonymous, 1 + (int)pairs[i].anonymous);
    }
}

static void loopback_addresses_are_known(void **state)
{
    (void)state;
    static const char *const inside[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1",
                                         "localhost"};
    static const char *const outside[] = {"0.0.0.0",           "::",      "128.0.0.1",
                                          "10.0.0.1",          "fe80::1", "::ffff:10.0.0.1",
                                          "127.0.0.1.example", ""};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
        assert_true(address_is_loopback(inside[i]));
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_false(address_is_loopback(outside[i]));
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, made_setup, made_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(open_server_off_loopback_needs_a_word),
        UNIT(broker_address_is_parsed),
        UNIT(keys_of_the_other_kind_of_broker_are_refused),
        UNIT(certificate_and_key_go_together),
        UNIT(pairing_and_anonymous_go_by_the_broker_unless_given),
        UNIT(loopback_addresses_are_known),
    };
    return cmocka_run_group_tests_name("config_rules", tests, NULL, NULL);
}
