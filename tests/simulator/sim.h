/* SPDX-License-Identifier: MIT
 *
 * What the simulator's files share: the options, and one run (loop, signals, time limit, lines on
 * standard output). The simulator plays boards, cameras and phones of the old dialect (CONTRACT
 * part 1) from the outside: it talks to the server over MQTT and HTTP only and shares no code with
 * it above server/base. One thread, but for HTTP calls (sim_http.h).
 */
#ifndef SIM_H
#define SIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "server/base/clock.h"
#include "server/base/names.h"

enum sim_way { WAY_BOTH, WAY_MQTT, WAY_HTTP };
enum sim_word { WORD_UNLOCK, WORD_LOCK };
enum sim_form { FORM_PLAIN, FORM_TEST };

struct sim_options {
    char broker[280];
    char http[256];
    char token[256];
    char device[NAME_SIZE], device_topic[NAME_SIZE];
    char app[NAME_SIZE], app_topic[NAME_SIZE];
    char server_topic[NAME_SIZE];
    int64_t seconds, count, every_ms;
    int64_t answer_delay_ms, answer;
    bool no_answer, quiet, raw, named, listen;
    int64_t alerts;
    int word, way, form; /* enum sim_word, sim_way, sim_form */
    char save[512];

    int64_t boards; /* `fleet N` */
    char broker_host[256];
    int broker_port;
};

/* Why a run ends: its work is done, --seconds are over, or somebody asked (SIGINT, SIGTERM). */
enum sim_end { END_DONE, END_TIME, END_SIGNAL };

struct sim {
    const struct sim_options *options;
    uv_loop_t loop;
    struct clock clock;
    int64_t started_boot;
    atomic_bool abort_http; /* set once the run ends: HTTP calls under way give up */
    void *owner;
    /* The run ends: close every handle of the owner's, return the process's exit status. */
    int (*on_end)(void *owner, enum sim_end why);

    uv_signal_t interrupted, terminated;
    uv_timer_t deadline, ender;
    enum sim_end why; /* valid once `ending` */
    bool ending;
    int exit_status;
};

void sim_init(struct sim *sim, const struct sim_options *options,
              int (*on_end)(void *owner, enum sim_end why), void *owner);
/* Runs until the end and until every handle is closed; returns the exit status. */
int sim_run(struct sim *sim);
/* Begins the end, on the loop's next turn: safe inside any callback, harmless when called again. */
void sim_end(struct sim *sim, enum sim_end why);
double sim_elapsed_s(const struct sim *sim);

/* One line with the time: an event (not with --quiet), or a result. */
void sim_say(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_tell(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The phone's TIME, Dart's DateTime.toString(): "2020-07-31 11:03:20.123456". Returns `out`. */
char *sim_dart_time(int64_t wall_ms, char out[static CLOCK_TEXT_MAX]);

/* The subcommands. */
int sim_lock(const struct sim_options *options);
int sim_camera(const struct sim_options *options);
int sim_app(const struct sim_options *options);
int sim_fleet(const struct sim_options *options);

#endif
