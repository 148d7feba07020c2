/* SPDX-License-Identifier: MIT
 *
 * `gatehouse-sim camera`: finds a stranger, tells the server (`find_stranger`), then posts a
 * picture it draws itself. The existing camera names itself nowhere in `find_stranger`; `--named`
 * is the better way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/log.h"
#include "tests/simulator/sim_draw.h"
#include "tests/simulator/sim_http.h"
#include "tests/simulator/sim_link.h"

/* What the existing camera takes at least to write its picture; the alert is at the server by
 * then. */
#define CAMERA_SHUTTER_MS 100

struct camera_run {
    struct sim sim;
    struct sim_link link;
    uv_timer_t next, shutter;
    char time[CLOCK_TEXT_MAX]; /* of the stranger at the door now */
    uint64_t alerts, taken, refused;
    bool waiting; /* for the broker's word about the alert */
};

static int64_t camera_wanted(const struct camera_run *run)
{
    return run->sim.options->count;
}

static void camera_over(struct camera_run *run)
{
    const int64_t wanted = camera_wanted(run);
    if (wanted > 0 && run->alerts >= (uint64_t)wanted)
        sim_end(&run->sim, END_DONE);
}

static void on_uploaded(void *owner, const struct sim_http_reply *reply)
{
    struct camera_run *run = owner;
    if (run->sim.ending && reply->status == 0)
        return;
    char shown[200];
    log_escape(shown, sizeof shown, reply->body, reply->len);
    const bool taken = reply->status == 200 && strcmp(reply->body, "0") == 0;
    if (taken)
        run->taken++;
    else
        run->refused++;
    if (reply->status == 0)
        sim_say(&run->sim, "picture not sent: %s", reply->fault);
    else
        sim_say(&run->sim, "picture %s: %ld %s", taken ? "taken" : "refused", reply->status, shown);
    camera_over(run);
}

static void camera_upload(struct camera_run *run)
{
    const struct sim_options *options = run->sim.options;
    const unsigned number = (unsigned)run->alerts;
    size_t len = 0;
    const int64_t now = clock_wall_ms(&run->sim.clock);
    unsigned char *picture =
        options->raw ? draw_raw(now, number, &len) : draw_jpeg(now, number, &len);
    if (picture == NULL) {
        sim_say(&run->sim, "out of memory for a picture");
        run->refused++;
        camera_over(run);
        return;
    }
    /* --answer 1: a picture that is none. */
    if (options->answer != 0)
        memset(picture, 'x', len < 16 ? len : 16);
    if (options->answer != 0 && options->raw)
        len /= 2;
    char name[64];
    snprintf(name, sizeof name, "stranger-%u.%s", number, options->raw ? "bgr" : "jpg");
    struct buf url;
    buf_init(&url, 2048);
    buf_addf(&url, "%s/upload?pic_name=", options->http);
    sim_url_add(&url, name);
    buf_add_str(&url, "&topic=");
    sim_url_add(&url, options->device);
    buf_add_str(&url, "&time=");
    sim_url_add(&url, run->time);
    const struct sim_http_ask ask = {
        .method = "POST",
        .url = url.data,
        .with_token = true,
        .file = picture,
        .file_len = len,
        .file_name = name,
        .file_type = options->raw ? "application/octet-stream" : "image/jpeg",
    };
    sim_say(&run->sim, "posting %zu bytes to %s", len, url.data == NULL ? "" : url.data);
    if (buf_error(&url) != ERR_OK || !sim_http_send(&run->sim, &ask, on_uploaded, run)) {
        sim_say(&run->sim, "picture not sent: out of memory");
        run->refused++;
    }
    buf_free(&url);
    free(picture);
}

static void on_shutter(uv_timer_t *timer)
{
    camera_upload(timer->data);
}

static void on_acknowledged(void *owner)
{
    struct camera_run *run = owner;
    const struct sim_options *options = run->sim.options;
    if (!run->waiting)
        return;
    run->waiting = false;
    if (options->no_answer) {
        camera_over(run);
        return;
    }
    const int64_t delay =
        options->answer_delay_ms > CAMERA_SHUTTER_MS ? options->answer_delay_ms : CAMERA_SHUTTER_MS;
    uv_timer_start(&run->shutter, on_shutter, (uint64_t)delay, 0);
}

static void camera_find(struct camera_run *run)
{
    const struct sim_options *options = run->sim.options;
    char text[4 * NAME_SIZE];
    clock_compact(clock_wall_ms(&run->sim.clock), run->time);
    snprintf(text, sizeof text, "find_stranger 1 %s %s%s%s", options->app_topic,
             options->named ? options->device : "", options->named ? " " : "", run->time);
    if (!sim_link_publish(&run->link, options->server_topic, text))
        return;
    run->waiting = true;
    run->alerts++;
    sim_say(&run->sim, "sent to %s: %s", options->server_topic, text);
}

static void on_next(uv_timer_t *timer)
{
    struct camera_run *run = timer->data;
    const int64_t wanted = camera_wanted(run);
    if (wanted == 0 || run->alerts < (uint64_t)wanted)
        camera_find(run);
}

static void on_up(void *owner)
{
    struct camera_run *run = owner;
    sim_say(&run->sim, "connected to %s", run->sim.options->broker);
    const int64_t every = run->sim.options->every_ms;
    uv_timer_start(&run->next, on_next, 0, (uint64_t)(every > 0 ? every : 12000));
}

static void on_down(void *owner, const char *why)
{
    struct camera_run *run = owner;
    uv_timer_stop(&run->next);
    sim_say(&run->sim, "no connection to %s: %s; trying again", run->sim.options->broker, why);
}

static void on_message(void *owner, const char *topic, const char *payload, size_t len,
                       bool retained)
{
    (void)topic;
    (void)owner;
    (void)payload;
    (void)len;
    (void)retained;
}

static int on_end(void *owner, enum sim_end why)
{
    struct camera_run *run = owner;
    sim_link_close(&run->link);
    uv_close((uv_handle_t *)&run->next, NULL);
    uv_close((uv_handle_t *)&run->shutter, NULL);
    sim_tell(&run->sim,
             "camera %s: %" PRIu64 " strangers, %" PRIu64 " pictures taken, %" PRIu64
             " refused or not sent",
             run->sim.options->device, run->alerts, run->taken, run->refused);
    const bool short_of = why == END_TIME && camera_wanted(run) > 0;
    return run->alerts > 0 && run->refused == 0 && !short_of ? 0 : 1;
}

int sim_camera(const struct sim_options *options)
{
    static struct camera_run run;
    sim_init(&run.sim, options, on_end, &run);
    uv_timer_init(&run.sim.loop, &run.next);
    uv_timer_init(&run.sim.loop, &run.shutter);
    run.next.data = run.shutter.data = &run;
    run.link.sim = &run.sim;
    run.link.owner = &run;
    run.link.on_up = on_up;
    run.link.on_down = on_down;
    run.link.on_message = on_message;
    run.link.on_acknowledged = on_acknowledged;
    snprintf(run.link.client_id, sizeof run.link.client_id, "sim-camera-%d-%s", (int)getpid(),
             options->device);
    sim_link_open(&run.link);
    return sim_run(&run.sim);
}
