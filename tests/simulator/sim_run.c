/* SPDX-License-Identifier: MIT
 *
 * One run of the simulator: loop, signals, time limit, and the lines it prints. It refuses to know
 * what is played.
 */
#include "tests/simulator/sim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <curl/curl.h>
#include <mosquitto.h>

static void on_ender(uv_timer_t *timer)
{
    struct sim *sim = timer->data;
    uv_close((uv_handle_t *)&sim->interrupted, NULL);
    uv_close((uv_handle_t *)&sim->terminated, NULL);
    uv_close((uv_handle_t *)&sim->deadline, NULL);
    uv_close((uv_handle_t *)&sim->ender, NULL);
    sim->exit_status = sim->on_end(sim->owner, sim->why);
}

void sim_end(struct sim *sim, enum sim_end why)
{
    if (sim->ending)
        return;
    sim->ending = true;
    sim->why = why;
    atomic_store(&sim->abort_http, true);
    /* Not here: this may be a callback of libmosquitto, which must not lose its client under it. */
    uv_timer_start(&sim->ender, on_ender, 0, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct sim *sim = handle->data;
    sim_say(sim, "stopping on signal %d", number);
    sim_end(sim, END_SIGNAL);
}

static void on_deadline(uv_timer_t *timer)
{
    struct sim *sim = timer->data;
    sim_say(sim, "the time is over");
    sim_end(sim, END_TIME);
}

void sim_init(struct sim *sim, const struct sim_options *options,
              int (*on_end)(void *owner, enum sim_end why), void *owner)
{
    *sim = (struct sim){.options = options, .on_end = on_end, .owner = owner};
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    mosquitto_lib_init();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    clock_init_system(&sim->clock);
    sim->started_boot = clock_boot_ms(&sim->clock);
    uv_loop_init(&sim->loop);
    sim->interrupted.data = sim->terminated.data = sim->deadline.data = sim->ender.data = sim;
    uv_signal_init(&sim->loop, &sim->interrupted);
    uv_signal_init(&sim->loop, &sim->terminated);
    uv_timer_init(&sim->loop, &sim->deadline);
    uv_timer_init(&sim->loop, &sim->ender);
    uv_signal_start(&sim->interrupted, on_signal, SIGINT);
    uv_signal_start(&sim->terminated, on_signal, SIGTERM);
    if (options->seconds > 0)
        uv_timer_start(&sim->deadline, on_deadline, (uint64_t)options->seconds * 1000, 0);
}

int sim_run(struct sim *sim)
{
    uv_run(&sim->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&sim->loop) != 0) {
        fprintf(stderr, "gatehouse-sim: a handle was left open\n");
        sim->exit_status = 1;
    }
    curl_global_cleanup();
    mosquitto_lib_cleanup();
    return sim->exit_status;
}

double sim_elapsed_s(const struct sim *sim)
{
    return (double)(clock_boot_ms(&sim->clock) - sim->started_boot) / 1000.0;
}

static void print_line(const struct sim *sim, const char *format, va_list values)
    __attribute__((format(printf, 2, 0)));
static void print_line(const struct sim *sim, const char *format, va_list values)
{
    const int64_t now = clock_wall_ms(&sim->clock);
    const time_t seconds = (time_t)(now / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    printf("%02d:%02d:%02d.%03d ", local.tm_hour, local.tm_min, local.tm_sec, (int)(now % 1000));
    vprintf(format, values);
    putchar('\n');
}

void sim_say(struct sim *sim, const char *format, ...)
{
    if (sim->options->quiet)
        return;
    va_list values;
    va_start(values, format);
    print_line(sim, format, values);
    va_end(values);
}

void sim_tell(struct sim *sim, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    print_line(sim, format, values);
    va_end(values);
}

char *sim_dart_time(int64_t wall_ms, char out[static CLOCK_TEXT_MAX])
{
    const time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    const size_t len = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &local);
    snprintf(out + len, CLOCK_TEXT_MAX - len, ".%03d000", (int)(wall_ms % 1000));
    return out;
}
