/* SPDX-License-Identifier: MIT
 *
 * The test starts itself as the child that becomes mosquitto, as the server does; and as a server
 * that is then killed.
 */
#include "mqtt/broker.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>

#include "tests/unit/mqtt/mqtt_cmocka.h"
#include "tests/unit/mqtt/mqtt_real.h"

struct running {
    struct fixture f; /* only its loop */
    struct broker_options options;
    struct broker *broker;
    int starts, ends, port;
    bool closed;
    char why[1024];
};

static void on_started(void *owner, int port)
{
    struct running *r = owner;
    r->starts++;
    r->port = port;
}

static void on_ended(void *owner, const char *why)
{
    struct running *r = owner;
    r->ends++;
    snprintf(r->why, sizeof r->why, "%s", why);
}

static void on_closed(void *owner)
{
    ((struct running *)owner)->closed = true;
}

static bool is_closed(void *arg)
{
    return ((struct running *)arg)->closed;
}

static void running_open(struct running *r)
{
    memset(r, 0, sizeof *r);
    mqf_log_keep();
    mqf_open(&r->f, 0);
    r->options = (struct broker_options){.loop = &r->f.loop,
                                         .self = "/proc/self/exe",
                                         .data_dir = mqf_dir(),
                                         .listen = "127.0.0.1",
                                         .owner = r,
                                         .on_started = on_started,
                                         .on_ended = on_ended};
}

static void running_start(struct running *r)
{
    struct cause cause = {""};
    if (broker_new(&r->options, &r->broker, &cause) != ERR_OK ||
        broker_start(r->broker, &cause) != ERR_OK)
        fail_msg("%s", cause.text);
}

static void running_close(struct running *r)
{
    broker_close(r->broker, on_closed, r);
    assert_true(mqf_until(&r->f, is_closed, r, 5000));
    mqf_close(&r->f);
}

static char state_of(int pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return '-';
    if (fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    fclose(file);
    const char *at = strrchr(text, ')');
    return at != NULL ? at[2] : '-';
}

static bool is_over(int pid)
{
    char state = state_of(pid);
    return state == '-' || state == 'Z' || state == 'X';
}

static void the_configuration_is_what_it_should_be(void **state)
{
    (void)state;
    struct broker_options options = {.listen = "127.0.0.1",
                                     .tls_port = 8883,
                                     .tls_cert = "/etc/a b.pem",
                                     .tls_key = "/etc/k.pem"};
    char *text = broker_config_text(&options, 1884);
    assert_non_null(strstr(text, "\nlistener 1884 127.0.0.1\n"));
    assert_non_null(strstr(text, "\nlistener 8883 127.0.0.1\ncertfile /etc/a b.pem\n"));
    assert_non_null(strstr(text, "\npersistence false\n"));
    assert_non_null(strstr(text, "\nset_tcp_nodelay true\n"));
    assert_non_null(strstr(text, "\nmax_packet_size 65536\n"));
    free(text);
    options.tls_cert = "/etc/a.pem\nplugin /tmp/evil.so";
    assert_null(broker_config_text(&options, 1884));
    options.tls_cert = "/etc/a.pem";
    options.listen = "127.0.0.1\npersistence true";
    assert_null(broker_config_text(&options, 1884));
}

static void it_starts_on_a_free_port_and_ends_with_nothing_left(void **state)
{
    (void)state;
    struct running r;
    running_open(&r);
    running_start(&r);
    assert_true(mqf_until_count(&r.f, &r.starts, 1));
    assert_int_equal(r.port, broker_port(r.broker));
    int pid = broker_pid(r.broker);
    assert_true(pid > 0);
    struct peer peer;
    mqf_peer_open(&r.f, &peer, r.port, "x", 1);
    mqf_peer_publish(&r.f, &peer, "x", "y", 1, false);
    assert_true(mqf_peer_until_seen(&r.f, &peer, "x=y", 5000));
    mqf_peer_close(&peer);
    running_close(&r);
    assert_true(is_over(pid));
    assert_int_equal(r.ends, 0);
}

static void it_is_not_root_and_not_in_our_session(void **state)
{
    (void)state;
    struct running r;
    running_open(&r);
    running_start(&r);
    assert_true(mqf_until_count(&r.f, &r.starts, 1));
    assert_int_not_equal(getsid(broker_pid(r.broker)), getsid(0));
    const struct passwd *user = getpwnam("mosquitto");
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d", broker_pid(r.broker));
    assert_int_equal(stat(path, &status), 0);
    if (geteuid() == 0 && user != NULL)
        assert_int_equal(status.st_uid, user->pw_uid);
    running_close(&r);
}

static void a_killed_one_is_started_again_on_the_same_port(void **state)
{
    (void)state;
    struct running r;
    running_open(&r);
    running_start(&r);
    for (int i = 1; i <= 2; i++) {
        assert_true(mqf_until_count(&r.f, &r.starts, i));
        int pid = broker_pid(r.broker), port = r.port;
        kill(pid, SIGKILL);
        assert_true(mqf_until_count(&r.f, &r.ends, i));
        assert_int_equal(broker_pid(r.broker), 0);
        assert_non_null(strstr(r.why, "signal 9"));
        assert_true(mqf_until_count(&r.f, &r.starts, i + 1));
        assert_int_not_equal(broker_pid(r.broker), pid);
        assert_int_equal(r.port, port);
    }
    running_close(&r);
}

static int occupy(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = mqf_loopback(port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void a_taken_port_is_named_with_its_cures(void **state)
{
    (void)state;
    struct running r;
    struct cause cause = {""};
    int port = mqf_free_port(), fd = occupy(port);
    listen(fd, 1);
    running_open(&r);
    r.options.port = port;
    assert_int_equal(broker_new(&r.options, &r.broker, &cause), ERR_CONFLICT);
    char expected[64];
    snprintf(expected, sizeof expected, "127.0.0.1:%d is taken", port);
    assert_non_null(strstr(cause.text, expected));
    assert_non_null(strstr(cause.text, "systemctl stop mosquitto"));
    assert_non_null(strstr(cause.text, "set mqtt.port"));
    assert_non_null(strstr(cause.text, "mqtt.broker"));
    close(fd);
    /* Taken between two lives of the broker. */
    running_start(&r);
    assert_true(mqf_until_count(&r.f, &r.starts, 1));
    kill(broker_pid(r.broker), SIGKILL);
    assert_true(mqf_until_count(&r.f, &r.ends, 1));
    fd = occupy(port);
    listen(fd, 1);
    assert_true(mqf_until_count(&r.f, &r.ends, 2));
    assert_non_null(strstr(r.why, expected));
    assert_int_equal(r.starts, 1);
    close(fd);
    assert_true(mqf_until_count(&r.f, &r.starts, 2));
    running_close(&r);
}

static void a_missing_program_is_named_with_its_cure(void **state)
{
    (void)state;
    struct running r;
    struct cause cause = {""};
    running_open(&r);
    setenv("GATEHOUSE_MOSQUITTO", "/no/such/mosquitto", 1);
    assert_int_equal(broker_new(&r.options, &r.broker, &cause), ERR_NOT_FOUND);
    assert_non_null(strstr(cause.text, "/no/such/mosquitto"));
    unsetenv("GATEHOUSE_MOSQUITTO");
    mqf_close(&r.f);
}

static void a_key_that_the_broker_may_not_read_is_named(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct running r;
    char key[128];
    snprintf(key, sizeof key, "%s/secret.key", mqf_dir());
    close(open(key, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    running_open(&r);
    r.options.tls_port = mqf_free_port();
    r.options.tls_cert = r.options.tls_key = key;
    running_start(&r);
    assert_true(mqf_until_count(&r.f, &r.ends, 1));
    assert_true(mqf_logged("secret.key can't be read by"));
    running_close(&r);
}

static void one_that_ignores_the_polite_end_is_killed(void **state)
{
    (void)state;
    struct running r;
    char path[128];
    chmod(mqf_dir(), 0755);
    snprintf(path, sizeof path, "%s/stubborn", mqf_dir());
    FILE *file = fopen(path, "w");
    fprintf(file, "#!/bin/sh\ntrap '' TERM\necho awake >&2\nwhile :; do sleep 0.2; done\n");
    fclose(file);
    chmod(path, 0755);
    setenv("GATEHOUSE_MOSQUITTO", path, 1);
    running_open(&r);
    running_start(&r);
    for (int i = 0; i < 500 && !mqf_logged("awake"); i++)
        mqf_spin(&r.f, 5);
    int pid = broker_pid(r.broker);
    running_close(&r);
    assert_true(is_over(pid));
    unsetenv("GATEHOUSE_MOSQUITTO");
}

/* The server in the next test: runs a broker, says its pid, waits to be killed. */
static int be_a_server(const char *folder)
{
    struct running r;
    mqf_dir_borrow(folder);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    mqf_log_keep();
    running_open(&r);
    running_start(&r);
    mqf_until_count(&r.f, &r.starts, 1);
    int pid = broker_pid(r.broker);
    if (write(1, &pid, sizeof pid) != (ssize_t)sizeof pid)
        return 1;
    uv_run(&r.f.loop, UV_RUN_DEFAULT);
    return 0;
}

static void a_broker_does_not_outlive_a_killed_server(void **state)
{
    (void)state;
    int ends[2], pid = 0;
    const char *folder = mqf_dir();
    assert_int_equal(pipe(ends), 0);
    int server = fork();
    if (server == 0) {
        dup2(ends[1], 1);
        execl("/proc/self/exe", "gatehouse", "be-a-server", folder, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    close(ends[0]);
    assert_true(pid > 0);
    assert_false(is_over(pid));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    for (int i = 0; i < 100 && !is_over(pid); i++)
        poll(NULL, 0, 10);
    assert_true(is_over(pid));
}

static void the_child_mode_refuses_a_server_that_is_gone(void **state)
{
    (void)state;
    char config[128];
    snprintf(config, sizeof config, "%s/none.conf", mqf_dir());
    close(open(config, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    int child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "gatehouse", "broker-child", "1", config, "/bin/true",
              (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "broker-child") == 0)
        return broker_child_main(argc, argv);
    if (argc > 2 && strcmp(argv[1], "be-a-server") == 0)
        return be_a_server(argv[2]);
    mqf_log_keep();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_is_what_it_should_be),
        cmocka_unit_test(it_starts_on_a_free_port_and_ends_with_nothing_left),
        cmocka_unit_test(it_is_not_root_and_not_in_our_session),
        cmocka_unit_test(a_killed_one_is_started_again_on_the_same_port),
        cmocka_unit_test(a_taken_port_is_named_with_its_cures),
        cmocka_unit_test(a_missing_program_is_named_with_its_cure),
        cmocka_unit_test(a_key_that_the_broker_may_not_read_is_named),
        cmocka_unit_test(one_that_ignores_the_polite_end_is_killed),
        cmocka_unit_test(a_broker_does_not_outlive_a_killed_server),
        cmocka_unit_test(the_child_mode_refuses_a_server_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
