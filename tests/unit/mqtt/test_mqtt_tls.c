/* SPDX-License-Identifier: MIT
 *
 * The client over TLS against a mosquitto with a certificate made for "localhost".
 */
#include "mqtt/mqtt_client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/secret.h"
#include "tests/unit/mqtt/mqtt_cmocka.h"
#include "tests/unit/mqtt/mqtt_real.h"

/* Runs openssl in the test's folder; the arguments are separated by single spaces. */
static void openssl(const char *line)
{
    char text[512], *arguments[32] = {0};
    snprintf(text, sizeof text, "openssl %s", line);
    size_t count = 0;
    for (char *at = text; at != NULL && count < 31;) {
        char *space = strchr(at, ' ');
        if (space != NULL)
            *space++ = '\0';
        arguments[count++] = at;
        at = space;
    }
    int child = fork(), status = -1;
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 2);
        if (chdir(mqf_dir()) == 0)
            execvp("openssl", arguments);
        _exit(127);
    }
    waitpid(child, &status, 0);
    if (status != 0)
        fail_msg("failed: openssl %s", line);
}

#define NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "

static void make_certificates(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/ext", mqf_dir());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "subjectAltName=DNS:localhost\n");
    fclose(file);
    openssl("req -x509 " NEW_KEY "-keyout ca.key -out ca.pem -days 2 -subj /CN=ca");
    openssl("req -x509 " NEW_KEY "-keyout o.key -out other.pem -days 2 -subj /CN=other");
    openssl("req " NEW_KEY "-keyout server.key -out server.csr -subj /CN=localhost");
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
            "-extfile ext -out server.pem");
}

static void tls_accepts_the_right_name_and_refuses_others(void **state)
{
    (void)state;
    make_certificates();
    char config[512];
    int port = mqf_free_port();
    snprintf(config, sizeof config, "certfile %s/server.pem\nkeyfile %s/server.key", mqf_dir(),
             mqf_dir());
    int pid = mqf_broker_spawn(port, config);
    const struct {
        const char *host, *ca;
        bool ok;
        const char *why;
    } cases[] = {
        {"localhost", "ca.pem", true, NULL},
        {"127.0.0.1", "ca.pem", false, "certificate is refused: IP address mismatch"},
        {"localhost", "other.pem", false, "certificate is refused: unable to get local issuer"},
        {"localhost", "", false, "certificate is refused: unable to get local issuer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        mqf_open(&f, port);
        mqf_log_keep();
        f.options.tls = true;
        snprintf(f.options.host, sizeof f.options.host, "%s", cases[i].host);
        if (cases[i].ca[0] != '\0')
            snprintf(f.options.ca_file, sizeof f.options.ca_file, "%s/%s", mqf_dir(), cases[i].ca);
        mqf_start(&f);
        if (cases[i].ok) {
            assert_true(mqf_until_up(&f, 1));
            mqtt_client_subscribe(f.client, "x", true);
            assert_int_equal(mqtt_client_publish(f.client, "x", "y", 1, 1, false, 0, "a"), ERR_OK);
            assert_true(mqf_until_event(&f, "over:a"));
        } else {
            assert_true(mqf_until_logged(&f, cases[i].why, 5000));
            mqf_spin(&f, 100);
            assert_int_equal(f.ups, 0);
        }
        mqf_close(&f);
    }
    struct fixture f;
    struct cause cause;
    mqf_open(&f, port);
    f.options.tls = true;
    snprintf(f.options.ca_file, sizeof f.options.ca_file, "%s/none.pem", mqf_dir());
    assert_int_equal(mqtt_client_new(&f.options, &f.client, &cause), ERR_BAD_INPUT);
    assert_non_null(strstr(cause.text, "none.pem"));
    mqf_close(&f);
    mqf_broker_kill(pid);
}

int main(void)
{
    mqf_log_keep();
    if (secret_init() != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_accepts_the_right_name_and_refuses_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
