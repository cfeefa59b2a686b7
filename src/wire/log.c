/* Messages that many pipes show without having them. */
#include "wire/log.h"
#include "base/alloc.h"
#include "wire/frame.h"

#include <errno.h>

void sf_sleeper_unref(struct sf_sleeper *s)
{
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        s->free(s);
}

int sf_log_new(struct sf_log **out)
{
    struct sf_log *l = sf_alloc(sizeof *l);

    if (!l)
        return -ENOMEM;
    if (sf_pipe_new(&l->pipe, false) != 0) {
        sf_free(l);
        return -ENOMEM;
    }
    l->pipe->shared = true;
    atomic_init(&l->refs, 1);
    *out = l;
    return 0;
}

/* The chunks that the writer still holds: of a message under way, and the one that is filled. */
static void release_chunks(struct sf_pipe *p)
{
    struct sf_chunk *c;

    sf_pipe_rollback(p);
    c = p->tail;
    if (c)
        sf_owner_unref(&c->owner);
    atomic_store_explicit(&p->first, NULL, memory_order_relaxed);
}

void sf_log_unref(struct sf_log *l)
{
    struct sf_sleeper *s;

    if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    s = atomic_load_explicit(&l->sleepers, memory_order_acquire);
    while (s) {
        struct sf_sleeper *next = s->next;

        sf_sleeper_unref(s);
        s = next;
    }
    release_chunks(l->pipe);
    sf_pipe_unref(l->pipe);
    sf_free(l);
}

/* --- Windows ----------------------------------------------------------- */

void sf_window_free(struct sf_chunk *item)
{
    struct sf_window *w = sf_window_of(item);

    sf_sleeper_unref(w->sleeper);
    sf_log_unref(w->log);
    sf_free(item);
}

int sf_log_open(struct sf_log *l, struct sf_pipe *p, struct sf_sleeper *s, size_t size)
{
    struct sf_pipe *all = l->pipe;
    struct sf_chunk *item;
    struct sf_window *w;
    size_t need = SF_FRAME_HEADER_MAX + (size <= SF_PIPE_INLINE ? size : 0);

    /* First the room, so that no chunk is kept for the sake of its end alone. */
    if (sf_pipe_reserve(all, need) != 0)
        return -ENOMEM;
    item = sf_chunk_new(sizeof *w, NULL);
    if (!item)
        return -ENOMEM;
    item->owner.kind = SF_OWNER_WINDOW;
    item->size = 0; /* no bytes of the pipe's own fit */
    w = sf_window_of(item);
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    w->log = l;
    w->sleeper = sf_sleeper_ref(s);
    w->chunk = all->msg_chunk;
    w->off = all->msg_at;
    w->seg = all->msg_segs;
    w->end_off = 0;
    atomic_init(&w->end, NULL);
    w->first = all->written;
    w->first_bytes = atomic_load_explicit(&all->put.bytes, memory_order_relaxed);
    sf_owner_ref(&w->chunk->owner);
    all->readers++;
    sf_pipe_set_window(p, w);
    sf_pipe_append(p, item);
    return 0;
}

void sf_log_close(struct sf_pipe *p)
{
    struct sf_window *w = p->window;
    struct sf_pipe *all;
    struct sf_chunk *c;

    if (!w)
        return;
    all = w->log->pipe;
    sf_pipe_set_window(p, NULL);
    all->readers--;
    c = atomic_load_explicit(&all->msg_chunk->next, memory_order_relaxed);
    while (c) { /* of a message under way: never seen through this window */
        struct sf_chunk *next = atomic_load_explicit(&c->next, memory_order_relaxed);

        sf_owner_unref(&c->owner);
        c = next;
    }
    w->end_off = all->msg_at;
    atomic_store_explicit(&w->end, all->msg_chunk, memory_order_release);
}

int sf_log_part(struct sf_pipe *p)
{
    struct sf_pipe *all = p->window ? p->window->log->pipe : NULL;
    int err;

    sf_log_close(p);
    if (!all || !all->open)
        return 0;
    err = sf_pipe_copy_begun(all, p);
    return err ? err : 1;
}

/* --- Messages ---------------------------------------------------------- */

int sf_log_put(struct sf_log *l, struct sf_msg *m, bool more)
{
    return sf_pipe_put(l->pipe, m, more ? SF_FRAME_MORE : 0);
}

/*
 * Why no wake-up is lost. The writer (1) shows a message, (2) looks at
 * `sleepers`; a reader (3) is in `sleepers`, (4) looks for messages. Between
 * both pairs stands a full fence, so either (2) finds the sleeper or (4) finds
 * the message.
 *
 * A sleeper may serve many readers, and a doze that finds it dozing pushes
 * nothing. Then it is in the list, which is (3); or the writer has taken it
 * out and not cleared `dozing` yet, and wakes it after it has.
 *
 * The push takes one and the writer takes all, so there is no ABA.
 */
void sf_log_wake(struct sf_log *l)
{
    struct sf_sleeper *s;

    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&l->sleepers, memory_order_relaxed))
        return;
    s = atomic_exchange_explicit(&l->sleepers, NULL, memory_order_acquire);
    while (s) {
        struct sf_sleeper *next = s->next;

        /* From here on `next` is the dozer's. */
        atomic_exchange_explicit(&s->dozing, 0, memory_order_acq_rel);
        s->wake(s);
        s = next;
    }
}

void sf_log_doze(struct sf_log *l, struct sf_sleeper *s)
{
    struct sf_sleeper *top;

    if (!atomic_exchange_explicit(&s->dozing, 1, memory_order_acq_rel)) {
        sf_sleeper_ref(s);
        top = atomic_load_explicit(&l->sleepers, memory_order_relaxed);
        do
            s->next = top;
        while (!atomic_compare_exchange_weak_explicit(&l->sleepers, &top, s, memory_order_release,
                                                      memory_order_relaxed));
    }
    atomic_thread_fence(memory_order_seq_cst);
}
