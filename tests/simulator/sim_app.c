/* SPDX-License-Identifier: MIT
 *
 * `gatehouse-sim app`: a phone of the old dialect. It hand-shakes with `add_app`, sends each press
 * twice (by MQTT and by HTTP, with two different times, as the existing phone does), prints what it
 * is told and fetches the picture that an alert's link names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "server/base/json.h"
#include "server/base/log.h"
#include "tests/simulator/sim_http.h"
#include "tests/simulator/sim_link.h"

#define APP_AGAIN_MS    3000
#define APP_PATIENCE_MS 10000
#define APP_FETCH_TRIES 10
#define APP_FETCH_MS    1000

/* One alert's picture on its way to the phone. The link answers 404 until the picture is there. */
struct app_fetch {
    struct app_run *run;
    uv_timer_t timer;
    char url[600];
    int tries;
    struct app_fetch *next, *prev;
};

struct app_run {
    struct sim sim;
    struct sim_link link;
    uv_timer_t again;    /* asks again while no answer to the hand-shake comes */
    uv_timer_t press;    /* the next press */
    uv_timer_t patience; /* for the end of this one */
    bool accepted, was_accepted;
    bool wait_http, wait_response; /* of the press under way */
    uint64_t presses, done, failed, alerts, pictures, fetch_failed;
    struct app_fetch *fetches;
};

static const char *app_word(const struct app_run *run)
{
    return run->sim.options->word == WORD_LOCK ? "lock" : "unlock";
}

static void app_over(struct app_run *run)
{
    const struct sim_options *options = run->sim.options;
    if (options->listen || run->wait_http || run->wait_response)
        return;
    if (run->presses < (uint64_t)options->count || !run->was_accepted)
        return;
    if (run->pictures + run->fetch_failed < (uint64_t)options->alerts)
        return;
    sim_end(&run->sim, END_DONE);
}

/* One half of a press (the body of the HTTP answer, the lock's own answer) came to its end. */
static void app_press_step(struct app_run *run)
{
    if (run->wait_http || run->wait_response)
        return;
    uv_timer_stop(&run->patience);
    app_over(run);
}

static void on_pressed(void *owner, const struct sim_http_reply *reply)
{
    struct app_run *run = owner;
    if (run->sim.ending && reply->status == 0)
        return;
    char shown[200];
    log_escape(shown, sizeof shown, reply->body, reply->len);
    const bool good = reply->status == 200 && strcmp(reply->body, "0") == 0;
    if (reply->status == 0)
        sim_say(&run->sim, "HTTP: no answer: %s", reply->fault);
    else
        sim_say(&run->sim, "HTTP: %ld %s after %.1f ms: %s", reply->status, shown, reply->took_ms,
                good ? "handed to the broker" : "failed");
    run->failed += good ? 0 : 1;
    run->wait_http = false;
    app_press_step(run);
}

static void app_press_http(struct app_run *run)
{
    const struct sim_options *options = run->sim.options;
    char now[CLOCK_TEXT_MAX];
    struct buf url, body;
    buf_init(&url, 2048);
    buf_init(&body, 2048);
    if (options->form == FORM_TEST) {
        buf_addf(&url, "%s/test", options->http);
        buf_addf(&body, "{\"name\":\"%s\",\"topic\":", app_word(run));
        buf_add_json_str(&body, options->device);
        buf_add_str(&body, ",\"topic2\":");
        buf_add_json_str(&body, options->app);
        buf_addf(&body, ",\"time\":\"%s\"}",
                 sim_dart_time(clock_wall_ms(&run->sim.clock) + 1, now));
    } else {
        buf_addf(&url, "%s/%s?device=", options->http, app_word(run));
        sim_url_add(&url, options->device);
    }
    const struct sim_http_ask ask = {
        .method = "POST", .url = url.data, .with_token = true, .json = body.data};
    run->wait_http = buf_error(&url) == ERR_OK && buf_error(&body) == ERR_OK &&
                     sim_http_send(&run->sim, &ask, on_pressed, run);
    if (run->wait_http)
        sim_say(&run->sim, "HTTP: POST %s%s%s", url.data, body.data == NULL ? "" : " ",
                body.data == NULL ? "" : body.data);
    else
        run->failed++;
    buf_free(&url);
    buf_free(&body);
}

static void on_patience(uv_timer_t *timer)
{
    struct app_run *run = timer->data;
    if (run->wait_response) {
        sim_say(&run->sim, "the lock did not answer");
        run->failed++;
        run->wait_response = false;
    }
    app_press_step(run);
}

static void on_press(uv_timer_t *timer)
{
    struct app_run *run = timer->data;
    const struct sim_options *options = run->sim.options;
    if (run->presses >= (uint64_t)options->count) {
        uv_timer_stop(timer);
        return;
    }
    if (run->wait_http || run->wait_response || !run->accepted)
        return;
    char text[4 * NAME_SIZE], now[CLOCK_TEXT_MAX];
    snprintf(text, sizeof text, "%s %s %s %s", app_word(run), options->device, options->app,
             sim_dart_time(clock_wall_ms(&run->sim.clock), now));
    run->presses++;
    run->wait_response = true;
    uv_timer_start(&run->patience, on_patience, APP_PATIENCE_MS, 0);
    if (options->way != WAY_HTTP) {
        const bool sent = sim_link_publish(&run->link, options->server_topic, text);
        sim_say(&run->sim, "%s to %s: %s", sent ? "sent" : "could not send", options->server_topic,
                text);
    }
    if (options->way != WAY_MQTT)
        app_press_http(run);
}

static void app_ask(struct app_run *run)
{
    const struct sim_options *options = run->sim.options;
    char text[5 * NAME_SIZE], now[CLOCK_TEXT_MAX];
    snprintf(text, sizeof text, "add_app %s %s %s %s %s", options->device, options->device_topic,
             options->app, options->app_topic, sim_dart_time(clock_wall_ms(&run->sim.clock), now));
    if (sim_link_publish(&run->link, options->server_topic, text))
        sim_say(&run->sim, "sent to %s: %s", options->server_topic, text);
}

static void on_again(uv_timer_t *timer)
{
    struct app_run *run = timer->data;
    if (!run->accepted)
        app_ask(run);
}

/* One JSON object with "action_name" "hand_shake" and "state". */
static bool app_take_hand_shake(struct app_run *run, const char *payload, size_t len)
{
    struct json *root;
    int64_t state = 1;
    if (json_parse(payload, len, &json_limits_wire, &root, NULL) != ERR_OK)
        return false;
    const char *name = json_str(json_get(root, "action_name"));
    const bool ours = name != NULL && strcmp(name, "hand_shake") == 0 &&
                      json_int(json_get(root, "state"), &state);
    json_free(root);
    if (!ours)
        return false;
    sim_say(&run->sim, "hand-shake %s: %s", state == 0 ? "accepted" : "refused", payload);
    if (state != 0)
        return true;
    run->accepted = run->was_accepted = true;
    uv_timer_stop(&run->again);
    const int64_t every = run->sim.options->every_ms;
    uv_timer_start(&run->press, on_press, 0, (uint64_t)(every > 0 ? every : 4000));
    app_over(run);
    return true;
}

/* "lock_response STATE DEVICE_ID APP_ID"; STATE 0 is success. */
static bool app_take_response(struct app_run *run, const char *payload)
{
    char word[64], state[64];
    if (sscanf(payload, "%63s %63s", word, state) != 2)
        return false;
    if (strcmp(word, "lock_response") != 0 && strcmp(word, "unlock_response") != 0)
        return false;
    const bool good = strcmp(state, "0") == 0;
    char shown[300];
    log_escape(shown, sizeof shown, payload, strlen(payload));
    sim_say(&run->sim, "the lock says: %s%s", shown,
            run->wait_response ? "" : " (to no press of this phone)");
    if (strncmp(word, app_word(run), strlen(app_word(run))) != 0 || !run->wait_response)
        return true;
    run->wait_response = false;
    run->done += good ? 1 : 0;
    run->failed += good ? 0 : 1;
    app_press_step(run);
    return true;
}

static void on_fetch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void app_fetch_end(struct app_fetch *fetch)
{
    DL_DELETE(fetch->run->fetches, fetch);
    uv_close((uv_handle_t *)&fetch->timer, on_fetch_closed);
}

static void app_fetch_over(struct app_fetch *fetch, bool good)
{
    struct app_run *run = fetch->run;
    run->pictures += good ? 1 : 0;
    run->fetch_failed += good ? 0 : 1;
    app_fetch_end(fetch);
    app_over(run);
}

static void app_save(struct app_run *run, const struct sim_http_reply *reply)
{
    const char *path = run->sim.options->save;
    FILE *file = fopen(path, "wb");
    const bool written = file != NULL && fwrite(reply->body, 1, reply->len, file) == reply->len;
    if (file == NULL || fclose(file) != 0 || !written)
        sim_say(&run->sim, "the picture could not be written to %s", path);
    else
        sim_say(&run->sim, "the picture is in %s", path);
}

static void on_fetch_due(uv_timer_t *timer);

static void on_fetched(void *owner, const struct sim_http_reply *reply)
{
    struct app_fetch *fetch = owner;
    struct app_run *run = fetch->run;
    if (run->sim.ending) {
        app_fetch_end(fetch);
        return;
    }
    const bool jpeg = reply->len > 3 && memcmp(reply->body, "\xff\xd8\xff", 3) == 0;
    const bool png = reply->len > 8 && memcmp(reply->body, "\x89PNG\r\n\x1a\n", 8) == 0;
    const bool good = reply->status == 200 && (jpeg || png);
    if (good) {
        sim_say(&run->sim, "fetched the picture: %zu bytes of %s after %.1f ms", reply->len,
                jpeg ? "JPEG" : "PNG", reply->took_ms);
        if (run->sim.options->save[0] != '\0')
            app_save(run, reply);
    } else if (reply->status == 0) {
        sim_say(&run->sim, "the picture did not come: %s", reply->fault);
    } else {
        sim_say(&run->sim, "the picture did not come: HTTP %ld", reply->status);
    }
    if (reply->status == 404 && ++fetch->tries < APP_FETCH_TRIES)
        uv_timer_start(&fetch->timer, on_fetch_due, APP_FETCH_MS, 0);
    else
        app_fetch_over(fetch, good);
}

static void on_fetch_due(uv_timer_t *timer)
{
    struct app_fetch *fetch = timer->data;
    const struct sim_http_ask ask = {.method = "GET", .url = fetch->url};
    if (!sim_http_send(&fetch->run->sim, &ask, on_fetched, fetch))
        app_fetch_over(fetch, false);
}

/* "find_stranger YYYYmmddHHMMSS URL". */
static bool app_take_alert(struct app_run *run, const char *payload)
{
    char time[32], url[600];
    if (sscanf(payload, "find_stranger %31s %599s", time, url) != 2)
        return false;
    char shown[700];
    log_escape(shown, sizeof shown, payload, strlen(payload));
    sim_say(&run->sim, "ALERT: %s", shown);
    run->alerts++;
    struct app_fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        run->fetch_failed++;
        return true;
    }
    fetch->run = run;
    memcpy(fetch->url, url, sizeof url);
    fetch->timer.data = fetch;
    DL_APPEND(run->fetches, fetch);
    uv_timer_init(&run->sim.loop, &fetch->timer);
    uv_timer_start(&fetch->timer, on_fetch_due, 0, 0);
    return true;
}

static void on_message(void *owner, const char *topic, const char *payload, size_t len,
                       bool retained)
{
    (void)topic;
    struct app_run *run = owner;
    char shown[300];
    const bool text = strlen(payload) == len;
    if (text && (app_take_alert(run, payload) || app_take_response(run, payload) ||
                 app_take_hand_shake(run, payload, len)))
        return;
    log_escape(shown, sizeof shown, payload, len);
    sim_say(&run->sim, "told%s: %s", retained ? " (retained)" : "", shown);
}

static void on_up(void *owner)
{
    struct app_run *run = owner;
    sim_say(&run->sim, "connected to %s, listening on %s", run->sim.options->broker,
            run->link.topic);
    app_ask(run);
    uv_timer_start(&run->again, on_again, APP_AGAIN_MS, APP_AGAIN_MS);
}

static void on_down(void *owner, const char *why)
{
    struct app_run *run = owner;
    run->accepted = false;
    uv_timer_stop(&run->again);
    sim_say(&run->sim, "no connection to %s: %s; trying again", run->sim.options->broker, why);
}

static int on_end(void *owner, enum sim_end why)
{
    struct app_run *run = owner;
    const struct sim_options *options = run->sim.options;
    /* Those with a call under way end when the call does. */
    for (struct app_fetch *fetch = run->fetches, *next; fetch != NULL; fetch = next) {
        next = fetch->next;
        if (uv_is_active((uv_handle_t *)&fetch->timer))
            app_fetch_end(fetch);
    }
    sim_link_close(&run->link);
    uv_close((uv_handle_t *)&run->again, NULL);
    uv_close((uv_handle_t *)&run->press, NULL);
    uv_close((uv_handle_t *)&run->patience, NULL);
    sim_tell(&run->sim,
             "app %s: %s, %" PRIu64 " presses, %" PRIu64 " answered by the lock, %" PRIu64
             " failures, %" PRIu64 " alerts, %" PRIu64 " pictures",
             options->app, run->was_accepted ? "hand-shaken" : "not hand-shaken", run->presses,
             run->done, run->failed, run->alerts, run->pictures);
    const bool short_of = why == END_TIME && (run->done < (uint64_t)options->count ||
                                              run->pictures < (uint64_t)options->alerts);
    return run->was_accepted && run->failed == 0 && run->fetch_failed == 0 && !short_of ? 0 : 1;
}

int sim_app(const struct sim_options *options)
{
    static struct app_run run;
    sim_init(&run.sim, options, on_end, &run);
    uv_timer_init(&run.sim.loop, &run.again);
    uv_timer_init(&run.sim.loop, &run.press);
    uv_timer_init(&run.sim.loop, &run.patience);
    run.again.data = run.press.data = run.patience.data = &run;
    run.link.sim = &run.sim;
    run.link.owner = &run;
    run.link.topic = options->app_topic;
    run.link.on_up = on_up;
    run.link.on_down = on_down;
    run.link.on_message = on_message;
    snprintf(run.link.client_id, sizeof run.link.client_id, "sim-app-%d-%s", (int)getpid(),
             options->app);
    sim_link_open(&run.link);
    return sim_run(&run.sim);
}
