/* SPDX-License-Identifier: MIT
 *
 * What is wrong, and what should be known, one line each, for /readyz, the page and the log. Names
 * no device, no person.
 */
#include "server/server.h"

#include <stdio.h>
#include <string.h>

#include "server/base/log.h"

int server_problems(struct server *server, struct buf *out)
{
    int count = 0;
    int64_t since_at = 0;
    enum err trouble = turn_trouble(server->turn, &since_at);
    if (trouble) {
        char since[CLOCK_TEXT_MAX];
        buf_addf(out, "store: changes are refused since %s: %s\n", clock_rfc3339(since_at, since),
                 err_message(trouble));
        count++;
    }
    if (!server->mqtt || !mqtt_client_is_up(server->mqtt)) {
        buf_addf(out, "broker: not connected and subscribed%s%s\n",
                 server->broker_trouble[0] ? ": " : "", server->broker_trouble);
        count++;
    }
    if (server->stopping) {
        buf_add_str(out, "server: stopping\n");
        count++;
    }
    return count;
}

int server_warnings(struct server *server, struct buf *out)
{
    const struct config *config = server->config;
    int count = 0;
    if (config->mqtt_anonymous - 1 == ANONYMOUS_ALL) {
        buf_add_str(out,
                    "mqtt: every sender is anonymous and may lock and unlock (mqtt.anonymous)\n");
        count++;
    }
    if (config->http_auth == AUTH_NONE) {
        buf_add_str(out, "http: every address is open to all who reach it (http.auth)\n");
        count++;
    }
    if (config->http_trusted.count) {
        buf_addf(out, "http: %d address ranges need no token (http.trusted)\n",
                 config->http_trusted.count);
        count++;
    }
    if (!config->http_public_url[0] && address_is_any(config->http_listen)) {
        buf_add_str(out,
                    "http: links in alerts name this machine, which phones may not find by that "
                    "name: set http.public_url\n");
        count++;
    }
    return count;
}

void server_say_ready(struct server *server)
{
    if (server->said_ready || server->stopping)
        return;
    server->said_ready = true;
    struct buf warnings;
    buf_init(&warnings, 8192);
    server_warnings(server, &warnings);
    for (char *line = warnings.data, *end; line && (end = strchr(line, '\n')); line = end + 1)
        log_warn("server", "%.*s", (int)(end - line), line);
    buf_free(&warnings);
    const struct config *config = server->config;
    const char *host = config->broker_embedded ? config->mqtt_listen : config->broker_host;
    fprintf(stderr, "gatehouse: ready on http://%s:%d, broker mqtt%s://%s:%d\n",
            config->http_listen, server->http_port, config->broker_tls ? "s" : "", host,
            config->broker_embedded ? server->mqtt_port : config->broker_port);
    if (!server->first_start)
        return;
    fprintf(
        stderr,
        "gatehouse: first start. Open the page, signed in, with this address (it works once, "
        "for a day):\n    %s/#code=%s\n"
        "gatehouse: the admin's token, shown only now (more: gatehouse token create):\n    %s\n",
        server->public_url, server->admin_code, server->admin_secret);
    server->first_start = false;
    explicit_bzero(server->admin_secret, sizeof server->admin_secret);
    explicit_bzero(server->admin_code, sizeof server->admin_code);
}
