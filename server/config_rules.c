/* SPDX-License-Identifier: MIT
 *
 * Rules between keys, and what follows from them: the broker's kind and address, and the defaults
 * that depend on it. Opens nothing.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "actions/action.h"
#include "server/base/names.h"
#include "server/config.h"

_Static_assert(ANONYMOUS_NOTHING == 0 && ANONYMOUS_HAND_SHAKE == 1 && ANONYMOUS_ALL == 2,
               "mqtt.anonymous: the choice's index is 1 + the enum");
_Static_assert(PAIRING_OPEN == 0 && PAIRING_WINDOW == 1 && PAIRING_CLOSED == 2,
               "pairing: the choice's index is 1 + the enum");

#define BROKER_EXPECTED "\"embedded\", mqtt://HOST:PORT or mqtts://HOST:PORT"

bool address_is_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
    return strcasecmp(address, "localhost") == 0;
}

bool address_is_any(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return four.s_addr == htonl(INADDR_ANY);
    return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_UNSPECIFIED(&six);
}

/* A port from 1 to 65535 that is all of `text`; 0 when it is none. */
static int rules_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits])
        return 0;
    long port = strtol(text, NULL, 10);
    return port <= 65535 ? (int)port : 0;
}

static bool rules_host_is_valid(const char *host, bool bracketed)
{
    struct in6_addr six;
    if (bracketed)
        return inet_pton(AF_INET6, host, &six) == 1;
    /* Letters of all scripts are left to the resolver; what would be another part of an address or
     * a mistake in writing one is not. */
    return *host && !strpbrk(host, " :/?#[]@\\\"'<>,;");
}

/* "HOST", "HOST:PORT", "[IPV6]" or "[IPV6]:PORT", with at most one slash behind. */
static bool rules_broker_address(const char *text, struct config *config)
{
    size_t len = strlen(text);
    bool bracketed = *text == '[';
    if (len > 0 && text[len - 1] == '/')
        len--;
    const char *host = text + bracketed;
    size_t host_len = strcspn(host, bracketed ? "]" : ":/");
    size_t used = host_len + 2 * (size_t)bracketed;
    if (used > len || host_len >= sizeof config->broker_host)
        return false;
    text_copy(config->broker_host, sizeof config->broker_host, host, host_len);
    if (used < len) {
        char port[8];
        if (text[used] != ':' || len - used - 1 >= sizeof port)
            return false;
        text_copy(port, sizeof port, text + used + 1, len - used - 1);
        config->broker_port = rules_port(port);
    }
    return config->broker_port > 0 && rules_host_is_valid(config->broker_host, bracketed);
}

/* Fills in the worked-out part from mqtt.broker. */
static bool rules_broker(struct config *config)
{
    config->broker_embedded = strcmp(config->mqtt_broker, "embedded") == 0;
    config->broker_tls = false;
    if (config->broker_embedded) {
        text_copy(config->broker_host, sizeof config->broker_host, config->mqtt_listen,
                  strlen(config->mqtt_listen));
        config->broker_port = (int)config->mqtt_port;
        return true;
    }
    if (strncmp(config->mqtt_broker, "mqtt://", 7) == 0) {
        config->broker_port = 1883;
        return rules_broker_address(config->mqtt_broker + 7, config);
    }
    if (strncmp(config->mqtt_broker, "mqtts://", 8) == 0) {
        config->broker_port = 8883;
        config->broker_tls = true;
        return rules_broker_address(config->mqtt_broker + 8, config);
    }
    return false;
}

static void rules_http(const struct config *config, struct faults *faults)
{
    if (config->http_auth == AUTH_NONE && !config->http_insecure &&
        !address_is_loopback(config->http_listen))
        faults_add(faults,
                   "http.auth: \"none\" leaves every address open and is refused while http.listen "
                   "is %s; take \"token\", a loopback address, or set http.insecure to true",
                   config->http_listen);
    if (*config->http_tls_cert || *config->http_tls_key)
        faults_add(faults, "http.tls.%s: not available in this version: put a TLS proxy in front",
                   *config->http_tls_cert ? "cert" : "key");
}

/* What has a meaning only with the server's own broker. */
static void rules_mqtt_tls(const struct config *config, struct faults *faults)
{
    bool cert = *config->mqtt_tls_cert, key = *config->mqtt_tls_key;
    bool port = config->mqtt_tls_port != 0;
    if (cert != key)
        faults_add(faults, "mqtt.tls.%s: missing; mqtt.tls.cert and mqtt.tls.key go together",
                   cert ? "key" : "cert");
    if (port && !cert && !key)
        faults_add(faults, "mqtt.tls.port: needs mqtt.tls.cert and mqtt.tls.key");
    if (!port && (cert || key))
        faults_add(faults, "mqtt.tls.port: must be a port from 1 to 65535 when mqtt.tls.cert or "
                           "mqtt.tls.key is set");
    if (!config->broker_embedded && (port || cert || key))
        faults_add(faults, "mqtt.tls: only for the embedded broker; mqtt.broker is %s",
                   config->mqtt_broker);
    if (config->broker_embedded && port && config->mqtt_tls_port == config->mqtt_port)
        faults_add(faults, "mqtt.tls.port: must differ from mqtt.port");
}

/* What has a meaning only with somebody else's broker. */
static void rules_mqtt_external(const struct config *config, struct faults *faults)
{
    const struct {
        const char *path;
        bool set;
    } keys[] = {
        {"mqtt.username", *config->mqtt_username},
        {"mqtt.password", *config->mqtt_password},
        {"mqtt.ca_file", *config->mqtt_ca_file},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (config->broker_embedded && keys[i].set)
            faults_add(faults,
                       "%s: only for a broker that is not embedded; mqtt.broker is embedded",
                       keys[i].path);
    if (!config->broker_embedded && !config->broker_tls && *config->mqtt_ca_file)
        faults_add(faults, "mqtt.ca_file: only for an mqtts:// broker; mqtt.broker is %s",
                   config->mqtt_broker);
    if (!*config->mqtt_username && *config->mqtt_password)
        faults_add(faults, "mqtt.password: needs mqtt.username");
}

static void rules_by_broker(struct config *config)
{
    bool loopback = address_is_loopback(config->broker_host);
    if (config->pairing == 0)
        config->pairing = 1 + (loopback ? PAIRING_OPEN : PAIRING_WINDOW);
    if (config->mqtt_anonymous == 0)
        config->mqtt_anonymous =
            1 + (loopback && config->broker_embedded ? ANONYMOUS_ALL : ANONYMOUS_NOTHING);
}

bool config_finish(struct config *config, struct faults *faults)
{
    int before = faults->count;
    rules_http(config, faults);
    if (rules_broker(config)) {
        rules_mqtt_tls(config, faults);
        rules_mqtt_external(config, faults);
    } else {
        faults_add(faults, "mqtt.broker: must be " BROKER_EXPECTED ", not %s", config->mqtt_broker);
    }
    rules_by_broker(config);
    return faults->count == before;
}
