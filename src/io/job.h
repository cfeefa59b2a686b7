#ifndef SF_IO_JOB_H
#define SF_IO_JOB_H

#include <stdint.h>

#include "io/loop.h"

/*
 * Something that blocks, done off the loop. There are crews of at most four
 * threads a process, which are detached, block all signals and end when there
 * is nothing to do; more jobs than threads wait in line. Crews do not wait for
 * each other: one looks names up, and one each does what blocks when we are a
 * server and, which may be for long, a client.
 *
 * starting --> in line --> under way --> posted --> done() called
 *                 |            |            |            |
 *                 +------------+-- end -----+------------+--> destroyed
 *
 * Ending one that is under way only lets go of it: the thread, when work()
 * returns, destroys it and touches nothing else of the caller, the loop
 * included. So nothing has to wait for what blocks.
 */
enum sf_crew { SF_CREW_NAMES, SF_CREW_CLIENTS, SF_CREW_SERVERS, SF_CREWS };

/* Zeroed with the three functions filled in it is ready to be started. */
struct sf_job {
    void (*work)(struct sf_job *j);    /* in a thread of the crew: sees the job and nothing else of ours */
    void (*done)(struct sf_job *j);    /* in the loop's thread, once */
    void (*destroy)(struct sf_job *j); /* frees it; any thread */
    int error; /* when done: 0; -EAGAIN: there was no thread to be had, and no work() */

    /* Private. */
    struct sf_task task;
    struct sf_loop *loop;
    struct sf_job *next;
    uint8_t state, crew;
};

/* Begins; `done` comes later, never within this call. 0 or -EAGAIN (no thread), still the caller's. Loop's thread. */
int sf_job_start(struct sf_job *j, enum sf_crew crew, struct sf_loop *loop);

/* Ends it at any time after start, also in `done`, which is not called afterwards. Loop's thread. */
void sf_job_end(struct sf_job *j);

#endif
