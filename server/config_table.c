/* SPDX-License-Identifier: MIT
 *
 * Every key of the configuration, one row each (CONTRACT part 3), in the order of the example file:
 * rows of one group stand together. What a value must be beyond type and bounds is checked here;
 * rules between keys are in config_rules.c.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/base/names.h"
#include "server/config.h"
#include "server/http_guard.h"

#define ZONES_FOLDER "/usr/share/zoneinfo/"

static bool table_address(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* Empty, or a prefix that a path can be put behind. */
static bool table_public_url(const char *text)
{
    if (!*text)
        return true;
    const char *host = NULL;
    if (strncmp(text, "http://", 7) == 0)
        host = text + 7;
    else if (strncmp(text, "https://", 8) == 0)
        host = text + 8;
    return host && *host && *host != '/' && !strpbrk(host, " \"<>\\^`{|}?#@") &&
           text[strlen(text) - 1] != '/';
}

static bool table_topic(const char *text)
{
    return name_is_valid(text, strlen(text));
}

static bool table_client_id(const char *text)
{
    return !*text || name_is_valid(text, strlen(text));
}

/* MQTT 5 section 4.7: a wildcard fills its whole level, # only the last one. Topics that start with
 * $ are the broker's own. */
static bool table_filter(const char *text)
{
    if (*text == '$')
        return false;
    for (const char *level = text;; level++) {
        size_t len = strcspn(level, "/");
        const char *wildcard = strpbrk(level, "+#");
        if (wildcard && wildcard < level + len && len != 1)
            return false;
        if (*level == '#' && level[1])
            return false;
        level += len;
        if (!*level)
            return true;
    }
}

/* A side of a raw frame: 1 to 65535, without sign or leading zero; moves behind it. */
static bool table_side(const char **text)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 5 || **text == '0')
        return false;
    long side = strtol(*text, NULL, 10);
    *text += digits;
    return side <= 65535;
}

static bool table_raw_frame(const char *text)
{
    return table_side(&text) && *text++ == 'x' && table_side(&text) && !*text;
}

static bool table_timezone(const char *text)
{
    char path[sizeof ZONES_FOLDER + sizeof((struct config *)0)->site_timezone] = ZONES_FOLDER;
    if (!*text)
        return true;
    if (*text == '/' || strstr(text, ".."))
        return false;
    text_copy(path + strlen(path), sizeof path - strlen(path), text, strlen(text));
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode);
}

static const char *const table_auth[] = {"token", "none", NULL};
/* The index is 1 + the enum of actions/action.h; "" goes by the broker's kind. */
static const char *const table_anonymous[] = {"", "nothing", "hand_shake", "all", NULL};
static const char *const table_pairing[] = {"", "open", "window", "closed", NULL};

#define ADDRESS_EXPECTED "an address such as 127.0.0.1, 0.0.0.0 or ::1"
#define MB_MAX           16777216 /* 16 TB */
#define DAYS_MAX         36500

#define AT(member)                                                                                 \
    .offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)
#define TEXT(key, member) .path = (key), .type = FIELD_TEXT, AT(member)
#define LIST(key, member) .path = (key), .type = FIELD_LIST, AT(member)
#define FLAG(key, member) .path = (key), .type = FIELD_BOOL, AT(member)
#define CHOICE(key, member, words)                                                                 \
    .path = (key), .type = FIELD_CHOICE, .choices = (words), AT(member)
#define NUMBER(key, member, least, most)                                                           \
    .path = (key), .type = FIELD_INT, .min = (least), .max = (most), AT(member)

/* clang-format off */
const struct field config_fields[] = {
    {TEXT("data_dir", data_dir), .min = 1, .fallback = "\"data\"",
     .help = "Folder of the database, the pictures, the firmware and the broker's files."},

    {TEXT("http.listen", http_listen), .fallback = "\"127.0.0.1\"",
     .valid = table_address, .expected = ADDRESS_EXPECTED,
     .help = "Address the HTTP server listens on."},
    {NUMBER("http.port", http_port, 0, 65535), .fallback = "5000",
     .help = "Port of the HTTP server; 0 takes a free one and says which."},
    {CHOICE("http.auth", http_auth, table_auth), .fallback = "\"token\"",
     .help = "\"none\" leaves every address open; only on a loopback address unless http.insecure is true."},
    {FLAG("http.insecure", http_insecure), .fallback = "false",
     .help = "Allows http.auth \"none\" on an address that others reach."},
    {LIST("http.trusted", http_trusted), .fallback = "[]",
     .valid = cidr_is_valid, .expected = "a list of at most 16 address ranges such as \"192.168.1.0/24\"",
     .help = "Address ranges from which the old addresses need no token, for phones that can't send one."},
    {TEXT("http.public_url", http_public_url), .fallback = "\"\"",
     .valid = table_public_url, .expected = "empty or an address such as http://door.example:5000, without a slash at the end",
     .help = "How phones reach the server, used in links; empty: from http.listen and http.port."},
    {NUMBER("http.max_upload_mb", http_max_upload_mb, 1, 1024), .fallback = "16",
     .help = "Largest picture, in megabytes."},
    {TEXT("http.tls.cert", http_tls_cert), .fallback = "\"\"",
     .help = "PEM file of the HTTP server's certificate; not available in this version."},
    {TEXT("http.tls.key", http_tls_key), .fallback = "\"\"",
     .help = "PEM file of its key; not available in this version."},

    {TEXT("mqtt.broker", mqtt_broker), .fallback = "\"embedded\"",
     .help = "\"embedded\": the server runs its own mosquitto; else mqtt://HOST:PORT or mqtts://HOST:PORT."},
    {TEXT("mqtt.listen", mqtt_listen), .fallback = "\"127.0.0.1\"",
     .valid = table_address, .expected = ADDRESS_EXPECTED,
     .help = "Address the embedded broker listens on."},
    {NUMBER("mqtt.port", mqtt_port, 0, 65535), .fallback = "1883",
     .help = "Port of the embedded broker; 0 takes a free one and says which."},
    {TEXT("mqtt.username", mqtt_username), .fallback = "\"\"",
     .help = "User name at a broker that is not embedded."},
    {TEXT("mqtt.password", mqtt_password), .secret = true, .fallback = "\"\"",
     .help = "Password at a broker that is not embedded."},
    {TEXT("mqtt.ca_file", mqtt_ca_file), .fallback = "\"\"",
     .help = "PEM file that the certificate of an mqtts:// broker is checked against; empty: the system's."},
    {TEXT("mqtt.client_id", mqtt_client_id), .fallback = "\"\"",
     .valid = table_client_id, .expected = "empty or at most 127 bytes without spaces, +, # and a leading $",
     .help = "Client id at the broker; empty: made by the server."},
    {TEXT("mqtt.server_topic", mqtt_server_topic), .min = 1, .fallback = "\"toserver\"",
     .valid = table_topic, .expected = "a topic of at most 128 bytes without spaces, +, # and a leading $",
     .help = "Topic on which boards and phones speak to the server."},
    {CHOICE("mqtt.anonymous", mqtt_anonymous, table_anonymous), .fallback = "\"\"",
     .help = "What a message without a sender's stamp may do; empty: \"all\" on a loopback embedded broker, else \"nothing\"."},
    {NUMBER("mqtt.tls.port", mqtt_tls_port, 0, 65535), .fallback = "0",
     .help = "Port of a second listener of the embedded broker, with TLS, for boards; 0: none."},
    {TEXT("mqtt.tls.cert", mqtt_tls_cert), .fallback = "\"\"",
     .help = "PEM file of that listener's certificate."},
    {TEXT("mqtt.tls.key", mqtt_tls_key), .fallback = "\"\"",
     .help = "PEM file of its key."},

    {LIST("telemetry.topics", telemetry_topics), .fallback = "[\"sensors/#\"]",
     .valid = table_filter, .expected = "a list of at most 16 MQTT topic filters such as \"sensors/#\"",
     .help = "Topics on which readings come."},

    {CHOICE("pairing", pairing, table_pairing), .fallback = "\"\"",
     .help = "When new devices and apps may hand-shake: \"open\", \"window\" (while somebody holds it open), \"closed\"; empty: \"open\" on a loopback broker, else \"window\"."},

    {TEXT("site.timezone", site_timezone), .fallback = "\"\"",
     .valid = table_timezone, .expected = "empty or the name of a time zone such as Europe/Berlin",
     .help = "Time zone of the doors; empty: the system's."},

    {NUMBER("alerts.picture_wait_ms", alerts_picture_wait_ms, 0, 60000), .fallback = "5000",
     .help = "How long an alert waits for its picture before it is sent without, in milliseconds."},
    {LIST("alerts.raw_frames", alerts_raw_frames), .fallback = "[\"640x480\", \"1280x720\", \"1920x1080\"]",
     .valid = table_raw_frame, .expected = "a list of at most 16 sizes such as \"640x480\", each side from 1 to 65535",
     .help = "Sizes of raw BGR frames that are taken as pictures."},

    {NUMBER("retention.pictures_mb", retention_pictures_mb, 1, MB_MAX), .fallback = "1024",
     .help = "Most megabytes of pictures; the oldest go first."},
    {NUMBER("retention.pictures_days", retention_pictures_days, 1, DAYS_MAX), .fallback = "90",
     .help = "Days that pictures are kept."},
    {NUMBER("retention.telemetry_mb", retention_telemetry_mb, 1, MB_MAX), .fallback = "1024",
     .help = "Most megabytes of readings; the oldest go first."},
    {NUMBER("retention.telemetry_days", retention_telemetry_days, 1, DAYS_MAX), .fallback = "365",
     .help = "Days that readings are kept."},
    {NUMBER("retention.audit_days", retention_audit_days, 1, DAYS_MAX), .fallback = "730",
     .help = "Days that the record of who did what is kept."},

    {.path = "custom", .type = FIELD_JSON, AT(custom), .fallback = "{}",
     .help = "Your own keys, any JSON; after the first start what is stored wins over the file."},
    {.path = NULL},
};
/* clang-format on */
