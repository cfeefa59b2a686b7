/* Messages: bytes inside the handle, or shared and counted. */
#include "wire/msg.h"
#include "base/alloc.h"
#include "base/block.h"
#include "base/park.h"
#include "wire/chunk.h"
#include "wire/log.h"

#include <errno.h>
#include <string.h>

struct sf_owner_user {
    struct sf_owner owner;
    void *data;
    void *hint;
    void (*free_fn)(void *, void *);
    struct sf_owner_user *next; /* among those whose free function is due */
};

_Thread_local struct sf_owner_due sf_owner_due;

static void run_due(void)
{
    bool held;

    if (sf_owner_due.running) /* a free function came back into the library: the outer turn goes on */
        return;
    held = sf_bells_release(); /* in a loop: it may wait for somebody whom we, or it, have rung */
    sf_owner_due.running = true;
    while (sf_owner_due.first) {
        struct sf_owner_user *u = sf_owner_due.first;

        sf_owner_due.first = u->next;
        u->free_fn(u->data, u->hint);
        sf_free(u);
    }
    sf_owner_due.running = false;
    if (held)
        sf_bells_hold();
}

static void release_user(struct sf_owner_user *u)
{
    if (!u->free_fn) {
        sf_free(u);
        return;
    }
    u->next = NULL;
    if (sf_owner_due.first)
        *sf_owner_due.last = u;
    else
        sf_owner_due.first = u;
    sf_owner_due.last = &u->next;
    if (sf_owner_due.holds == 0)
        run_due();
}

void sf_owner_run_due(void)
{
    int err = errno; /* a free function must not change what the call answers */

    run_due();
    errno = err;
}

void sf_owner_unref(struct sf_owner *o)
{
    if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    switch ((enum sf_owner_kind)o->kind) {
    case SF_OWNER_HEAP: sf_block_free(o, o->block); break;
    case SF_OWNER_USER: release_user((struct sf_owner_user *)o); break;
    case SF_OWNER_CHUNK: sf_chunk_free((struct sf_chunk *)o); break;
    case SF_OWNER_WINDOW: sf_window_free((struct sf_chunk *)o); break;
    }
}

struct sf_meta *sf_meta_new(size_t size)
{
    struct sf_meta *m = sf_alloc(sizeof *m + size);

    if (!m)
        return NULL;
    atomic_init(&m->refs, 1);
    m->fd = -1;
    m->size = size;
    return m;
}

void sf_meta_unref(struct sf_meta *m)
{
    if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        sf_free(m);
}

const char *sf_meta_get(const struct sf_meta *m, const char *name)
{
    const char *at, *end;

    if (!m)
        return NULL;
    for (at = m->text, end = at + m->size; at < end;) {
        const char *value = at + strlen(at) + 1;

        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

struct sf_label *sf_label_new(const void *text, size_t size)
{
    struct sf_label *l = sf_alloc(sizeof *l + size + 1);

    if (!l)
        return NULL;
    atomic_init(&l->refs, 1);
    l->size = (uint8_t)size;
    if (size)
        memcpy(l->text, text, size);
    return l;
}

struct sf_label *sf_label_ref(struct sf_label *l)
{
    if (l)
        atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    return l;
}

void sf_label_unref(struct sf_label *l)
{
    if (l && atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
        sf_free(l);
}

int sf_msg_init_size(struct sf_msg *m, size_t size)
{
    struct sf_owner *o;

    if (size <= SF_MSG_INLINE) {
        sf_msg_init(m);
        m->small_size = (uint8_t)size;
        return 0;
    }
    if (size > SIZE_MAX / 2)
        return -ENOMEM;
    o = sf_owner_new(size);
    if (!o)
        return -ENOMEM;
    sf_msg_init_slice(m, sf_owner_bytes(o), size, o);
    return 0;
}

int sf_msg_init_copy(struct sf_msg *m, const void *bytes, size_t size)
{
    int err = sf_msg_init_size(m, size);

    if (err == 0 && size)
        memcpy(sf_msg_data(m), bytes, size);
    return err;
}

int sf_msg_init_data(struct sf_msg *m, void *data, size_t size, void (*free_fn)(void *, void *),
                     void *hint)
{
    struct sf_owner_user *u = NULL;

    if (free_fn) {
        u = sf_alloc(sizeof *u);
        if (!u)
            return -ENOMEM;
        atomic_init(&u->owner.refs, 1);
        u->owner.kind = SF_OWNER_USER;
        u->data = data;
        u->hint = hint;
        u->free_fn = free_fn;
    }
    sf_msg_init_slice(m, data, size, u ? &u->owner : NULL);
    return 0;
}

void sf_msg_move(struct sf_msg *to, struct sf_msg *from)
{
    struct sf_msg old = *to;

    if (to == from)
        return;
    *to = *from;
    sf_msg_init(from);
    sf_msg_close(&old);
}

void sf_msg_share(struct sf_msg *to, struct sf_msg *from)
{
    if (from->kind == SF_MSG_SLICE) {
        from->flags |= SF_MSG_SHARED;
        sf_owner_ref(from->slice.owner);
    }
    sf_meta_ref(from->meta);
    sf_label_ref(from->group);
    *to = *from;
}
