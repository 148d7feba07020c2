/* SPDX-License-Identifier: MIT
 *
 * The worker: order, end, signals, whose thread it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/worker.h"

#define JOBS 1000

struct diary {
    struct worker *worker;
    int count;
    int order[JOBS];
    int here, signals_blocked;
    char name[16];
    enum err posted;
    sem_t gate;
};

struct job {
    struct diary *diary;
    int number;
};

static void note(void *arg)
{
    struct job *job = arg;
    job->diary->order[job->diary->count++] = job->number;
}

static void look_around(void *arg)
{
    struct diary *diary = arg;
    diary->here = worker_is_current(diary->worker);
    pthread_getname_np(pthread_self(), diary->name, sizeof diary->name);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    diary->signals_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGINT) &&
                             sigismember(&blocked, SIGCHLD);
}

static void wait_at_gate(void *arg)
{
    struct diary *diary = arg;
    while (sem_wait(&diary->gate) != 0)
        ;
}

static void post_again(void *arg)
{
    struct diary *diary = arg;
    wait_at_gate(diary);
    /* The owner is ending the worker, or about to: post until it says so. */
    while ((diary->posted = worker_post(diary->worker, look_around, diary)) == ERR_OK)
        ;
}

static void jobs_are_done_in_order_and_all_of_them(void **state)
{
    (void)state;
    static struct diary diary;
    static struct job jobs[JOBS];
    assert_int_equal(worker_new("order", &diary.worker, NULL), ERR_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){&diary, i};
        assert_int_equal(worker_post(diary.worker, note, &jobs[i]), ERR_OK);
    }
    worker_free(diary.worker);
    assert_int_equal(diary.count, JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(diary.order[i], i);
}

static void what_is_queued_is_done_before_the_end(void **state)
{
    (void)state;
    struct diary diary = {0};
    struct job job = {&diary, 7};
    sem_init(&diary.gate, 0, 0);
    assert_int_equal(worker_new("end", &diary.worker, NULL), ERR_OK);
    assert_int_equal(worker_post(diary.worker, wait_at_gate, &diary), ERR_OK);
    assert_int_equal(worker_post(diary.worker, note, &job), ERR_OK);
    sem_post(&diary.gate);
    worker_free(diary.worker);
    assert_int_equal(diary.count, 1);
    sem_destroy(&diary.gate);
}

static void thread_has_a_name_and_all_signals_blocked(void **state)
{
    (void)state;
    struct diary diary = {0};
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(worker_new("a name longer than fifteen", &diary.worker, NULL), ERR_OK);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_false(worker_is_current(diary.worker));
    assert_int_equal(worker_post(diary.worker, look_around, &diary), ERR_OK);
    worker_free(diary.worker);
    assert_true(diary.here);
    assert_true(diary.signals_blocked);
    assert_string_equal(diary.name, "a name longer t");
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static void posting_to_an_ending_worker_is_refused(void **state)
{
    (void)state;
    struct diary diary = {0};
    sem_init(&diary.gate, 0, 0);
    assert_int_equal(worker_new("refuse", &diary.worker, NULL), ERR_OK);
    assert_int_equal(worker_post(diary.worker, post_again, &diary), ERR_OK);
    sem_post(&diary.gate);
    worker_free(diary.worker);
    assert_int_equal(diary.posted, ERR_STOPPING);
    worker_free(NULL);
    sem_destroy(&diary.gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_done_in_order_and_all_of_them),
        cmocka_unit_test(what_is_queued_is_done_before_the_end),
        cmocka_unit_test(thread_has_a_name_and_all_signals_blocked),
        cmocka_unit_test(posting_to_an_ending_worker_is_refused),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
