/* SPDX-License-Identifier: MIT
 *
 * The configuration (CONTRACT part 3): one table of keys (config_table.c), from file, environment
 * and command line, all errors at once. Nobody below server/ sees this struct: each layer has its
 * own small options.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/fields.h"

enum config_auth { AUTH_TOKEN, AUTH_NONE };

struct config {
    char data_dir[512];
    char http_listen[64];
    int64_t http_port;
    int http_auth; /* enum config_auth */
    struct field_list http_trusted;
    char http_public_url[256];
    int64_t http_max_upload_mb;
    char http_tls_cert[512], http_tls_key[512];
    bool http_insecure;
    char mqtt_broker[256];
    char mqtt_listen[64];
    int64_t mqtt_port;
    char mqtt_username[256], mqtt_password[256], mqtt_ca_file[512], mqtt_client_id[128];
    char mqtt_server_topic[129];
    int mqtt_anonymous; /* 0: by the broker's kind; else 1 + enum anonymous_may after
                           config_finish() */
    int64_t mqtt_tls_port;
    char mqtt_tls_cert[512], mqtt_tls_key[512];
    struct field_list telemetry_topics;
    int pairing; /* as mqtt_anonymous: 0 by the broker's kind */
    char site_timezone[64];
    int64_t alerts_picture_wait_ms;
    struct field_list alerts_raw_frames;
    int64_t retention_pictures_mb, retention_pictures_days, retention_telemetry_mb,
        retention_telemetry_days, retention_audit_days;
    struct json *custom;

    /* Worked out by config_finish(), not keys. */
    bool broker_embedded, broker_tls;
    char broker_host[256];
    int broker_port;
};

extern const struct field config_fields[]; /* ends with a NULL path */

struct config_source {
    const char *file; /* --config; NULL: "config.json" when it is there, else defaults */
    bool file_must_exist;
    const char *const *sets;        /* "http.port=5001", NULL-ended; NULL: none */
    const char *const *environment; /* environ */
};
/* Defaults, then file, then environment (GATEHOUSE_HTTP_PORT; _FILE for secret keys), then sets;
 * then config_finish(). True when there were no faults. */
bool config_load(const struct config_source *source, struct config *config, struct faults *faults);
void config_free(struct config *config);
/* Rules between keys (auth none off loopback, tls cert without key, ...) and the worked-out part.
 */
bool config_finish(struct config *config, struct faults *faults);
/* The example file's text: every key at its default (free()). */
char *config_example(void);
bool address_is_loopback(const char *address);
/* Whether it stands for all addresses of the machine. */
bool address_is_any(const char *address);

#endif
