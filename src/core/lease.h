#ifndef SF_CORE_LEASE_H
#define SF_CORE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/barrier.h"
#include "core/conn.h"
#include "core/link.h"
#include "core/socket.h"
#include "wire/pipe.h"

struct pollfd;

enum { SF_LEASES_MAX = 16 }; /* connections of a call that reads by itself */

/*
 * The direct path: calls on a socket that do its connections' I/O themselves,
 * so that a message crosses no thread. All with the socket's turn.
 */

/* A message was put into the link's out-pipe, of a connection: writes it, or leaves it to the loop. */
void sf_direct_sent(struct sf_link *l);

/* So much of a stream has gathered that its sender is to write: it does. */
void sf_direct_flush(struct sf_link *l);

enum { SF_DIRECT_FLUSH = 65536 }; /* bytes that are so much */

/*
 * A message whose last frame has `size` bytes is complete in the link's out-pipe: whether somebody is
 * to be told. `leaning`: the socket's turn leans to the caller.
 */
SF_OFTEN bool sf_link_noted(struct sf_link *l, size_t size, bool leaning)
{
    size_t unflushed;

    if (!l->direct)
        return sf_pipe_must_wake(l->out);
    unflushed = l->unflushed + size + SF_FRAME_HEADER_MAX;
    l->unflushed = unflushed;
    if (leaning) /* which relies on the light barrier's being free, as this may */
        atomic_signal_fence(memory_order_seq_cst);
    else
        sf_barrier_light();
    /* Else the loop looks, at last after the heavy barrier that ends the stream. */
    return !atomic_load_explicit(&l->conn->streaming, memory_order_relaxed) ||
           unflushed >= SF_DIRECT_FLUSH;
}

/* And tells: the reader, the loop, or by a write. */
static inline void sf_link_tell(struct sf_link *l)
{
    if (!l->direct)
        sf_link_wake_reader(l);
    else if (!atomic_load_explicit(&l->conn->streaming, memory_order_relaxed))
        sf_direct_sent(l);
    else
        sf_direct_flush(l);
}

/* The short way of a message of one frame: false: nothing was done. */
SF_OFTEN bool sf_link_put_quick(struct sf_link *l, const void *data, size_t size)
{
    struct sf_pipe *out = l->out;

    return !SF_RARE(l->peer.ended || l->member || out->conflate || !sf_pipe_surely_has_room(out) ||
                    !sf_pipe_put_quick(out, data, size));
}

/*
 * For who would drop a message: writes some of what the link's full out-pipe holds, if the kernel
 * may take it and few of the calls before have done the same. Whether there is room now.
 */
bool sf_direct_make_room(struct sf_link *l);

/* Writes what the full out-pipes hold. Whether anything changed. */
bool sf_direct_drain(struct sifr_socket *s);

/* Reads at the leased connections, without waiting. Whether something came for the pattern. Outside of slots. */
bool sf_direct_read(struct sifr_socket *s);

/* A look at the leased connections by a call that will not wait. As sf_direct_read. */
bool sf_direct_glance(struct sifr_socket *s);

/*
 * Passes on what was read before and waited for room or its rest, of which no
 * descriptor tells. As sf_direct_read.
 */
bool sf_direct_rest(struct sifr_socket *s);

/* Reads again and again for some microseconds. As sf_direct_read. */
bool sf_direct_spin(struct sifr_socket *s);

/*
 * Looks for a post again and again for some microseconds, for who is about to
 * sleep until an inproc partner, who runs on another core perhaps, has done
 * something. Whether there is one. It only spares the sleep: the caller still
 * enters the bell and looks before it sleeps, so nothing is lost here.
 */
bool sf_direct_await(struct sifr_socket *s, struct sf_spin *spin);

/*
 * The same for a recv. One that keeps pace with a stream would meet its sender
 * at each message, which costs both more than the message: when some waits have
 * followed each other that closely, it lets some microseconds' worth gather. A socket that also
 * sends never does that: somebody may wait for its answer.
 */
bool sf_direct_gather(struct sifr_socket *s);

/*
 * One that has done so, and now finds nothing at its only peer, lets more gather before it says so:
 * the sender goes on undisturbed, which would have to wake it. Whether there is something now.
 */
bool sf_direct_linger(struct sifr_socket *s, struct sf_link *l);

/*
 * Calls `look` again and again for some microseconds, giving way before each
 * time, unless that has been of no use lately. It says 1: there is something,
 * 0: not yet, -1: no use. Whether it said 1.
 */
bool sf_spin(struct sf_spin *spin, int (*look)(void *arg), void *arg);

/*
 * Waits until a leased descriptor is readable, the socket was rung after
 * `ticket`, or `ns` are over (UINT64_MAX: no limit; `exactly`: not much later),
 * after sf_lease_ready said yes. The turn is given back, and the caller has a
 * reference of `s` to give back when it has tried to enter again. 0, -EAGAIN, -EINTR.
 */
int sf_direct_wait(struct sifr_socket *s, uint32_t ticket, uint64_t ns, bool exactly);

/*
 * After such a wait that ended when it was `planned` to, as a message is due: looks for that until it
 * has come, which it says, or is too late.
 */
bool sf_direct_expect(struct sifr_socket *s, uint64_t planned);

/* Asks for the reading of the socket's connections, if they are few. */
void sf_lease_ask(struct sifr_socket *s);

/* The socket's partners; SF_LEASES_MAX + 1 stands for all above. */
int sf_lease_peers(struct sifr_socket *s);

/* Whether there are leases and nobody waits at them: the caller, an SF_POLLER_..., does it now. */
bool sf_lease_lead(struct sifr_socket *s, int poller);

/* The same for sf_direct_wait. */
bool sf_lease_ready(struct sifr_socket *s);

/* The leased descriptors, to be polled for input: how many, at most SF_LEASES_MAX. */
int sf_lease_fds(struct sifr_socket *s, struct pollfd *fds);

/* A wait is over, and lease_poller stored. */
void sf_lease_waited(struct sifr_socket *s);

/* The loop granted it. */
void sf_lease_take(struct sifr_socket *s, struct sf_link *l);

/* Gives the reading of one / of all back to their loops. */
void sf_lease_return(struct sifr_socket *s, struct sf_link *l);
void sf_lease_return_all(struct sifr_socket *s);

#endif
