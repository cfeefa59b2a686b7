#ifndef SF_SECURITY_GUEST_H
#define SF_SECURITY_GUEST_H

#include <stdbool.h>

/*
 * Being inside of libkrb5. As a process exits that takes down what its functions
 * need, and makes the process abort if one is called then, or under way; threads
 * of ours may be in there at any such moment. So they go in as guests: before
 * libkrb5 ends, which is before any library ends that we need,
 * the exit waits until all have left, and nobody comes in again.
 *
 * Whose call waits for a server would keep the exit waiting for half a minute for
 * each that is silent. Who stays is therefore stopped for good, where it waits,
 * if a moment was not enough.
 *
 * In a forked child there are no guests. All functions: any thread.
 */

/* For calls that do not block. False: the process ends, and nothing is to be called; else leave. */
bool sf_guest_enter(void);
void sf_guest_leave(void);

/*
 * For a thread that ends when it has nothing to do: it is a guest until it has
 * ended, with all that libkrb5 keeps for it. Calls visit(arg), in which it may
 * block, and be stopped. False: the process ends, or is out of memory; visit()
 * has not been called.
 */
bool sf_guest_stay(void (*visit)(void *arg), void *arg);

#endif
