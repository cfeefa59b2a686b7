#ifndef SF_WIRE_MSG_H
#define SF_WIRE_MSG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/rare.h"
#include <sifr.h>

/*
 * What counted bytes belong to. A message larger than SF_MSG_INLINE points
 * into one; copies, chunks and fan-out share it.
 */
enum sf_owner_kind {
    SF_OWNER_HEAP,  /* the bytes stand behind the struct, one block */
    SF_OWNER_USER,  /* the application's buffer and its free function: struct sf_owner_user */
    SF_OWNER_CHUNK, /* a pipe's chunk; wire/chunk.c frees it */
    SF_OWNER_WINDOW, /* a pipe's view of a log; wire/log.c frees it */
};

struct sf_owner {
    _Atomic uint32_t refs;
    uint16_t kind;
    uint16_t block; /* of a heap block or a chunk: for sf_block_free */
};

/* Shares; one more reference. NULL is allowed. Any thread. */
static inline struct sf_owner *sf_owner_ref(struct sf_owner *o)
{
    if (o)
        atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

/*
 * Gives a reference back. The last one frees; an application's free function
 * runs at once, or, between sf_owner_hold and sf_owner_release, at that
 * release, so that it never runs under a lock of the library.
 */
void sf_owner_unref(struct sf_owner *o);

/* This thread is about to take a lock of the library / has dropped the last one. They nest. */
static inline void sf_owner_hold(void);
static inline void sf_owner_release(void);

/* This thread's: how many locks of the library it holds, and the free functions that wait for that. */
struct sf_owner_due {
    unsigned holds;
    bool running;
    struct sf_owner_user *first, **last;
};
extern _Thread_local struct sf_owner_due sf_owner_due __attribute__((tls_model("initial-exec")));

void sf_owner_run_due(void);

static inline void sf_owner_hold(void)
{
    sf_owner_due.holds++;
}

static inline void sf_owner_release(void)
{
    if (--sf_owner_due.holds == 0 && sf_owner_due.first)
        sf_owner_run_due();
}

/* What is known of the connection that a message came from; counted, immutable. */
struct sf_meta {
    _Atomic uint32_t refs;
    int fd;        /* SIFR_SRCFD; -1 none */
    size_t size;   /* bytes of text */
    char text[];   /* name NUL value NUL, again and again */
};

/* A new one with one reference, its text all zeroes, or NULL. */
struct sf_meta *sf_meta_new(size_t size);
static inline struct sf_meta *sf_meta_ref(struct sf_meta *m) /* NULL is allowed */
{
    if (m)
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void sf_meta_unref(struct sf_meta *m);          /* NULL is allowed */
const char *sf_meta_get(const struct sf_meta *m, const char *name); /* or NULL */

/* A group's name; counted, immutable. */
struct sf_label {
    _Atomic uint32_t refs;
    uint8_t size; /* without the 0 behind the text */
    char text[];
};

enum { SF_LABEL_MAX = 255 };

/* A new one with one reference, of at most SF_LABEL_MAX bytes, or NULL. */
struct sf_label *sf_label_new(const void *text, size_t size);
struct sf_label *sf_label_ref(struct sf_label *l); /* NULL is allowed */
void sf_label_unref(struct sf_label *l);           /* NULL is allowed */

/*
 * The inside of a sifr_msg_t. It holds no pointer to itself, so its bytes may
 * be moved. One thread at a time.
 */
enum { SF_MSG_INLINE = 33, SF_MSG_CHECK = 0x5a };

enum sf_msg_kind {
    SF_MSG_SMALL = 0x71, /* the bytes are in `small` */
    SF_MSG_SLICE = 0x72, /* the bytes are `slice`, counted by its owner; no owner: constant */
};

enum sf_msg_flag {
    SF_MSG_MORE = 1,    /* further frames of this message follow */
    SF_MSG_COMMAND = 4, /* not a message: the body of a command that concerns the pattern */
    SF_MSG_SHARED = 8,  /* has been copied by reference once */
    SF_MSG_BORROWED = 16, /* points into a caller's buffer: good until the call returns only */
    SF_MSG_BRIEF = 32,    /* to receive into: its bytes will be copied before the socket's turn ends,
                             so it gets no meta and no reference to a chunk, and may not be kept */
};

struct sf_msg {
    union {
        uint8_t small[SF_MSG_INLINE];
        struct {
            uint8_t *data;
            size_t size;
            struct sf_owner *owner; /* shares; NULL: constant bytes */
        } slice;
        uint64_t align[5];
    };
    struct sf_meta *meta; /* shares; NULL: none */
    struct sf_label *group; /* shares; of RADIO and DISH; NULL: "" */
    uint32_t routing_id;  /* of SERVER and PEER; 0 none */
    uint8_t kind;         /* enum sf_msg_kind; 0: not a message */
    uint8_t small_size;
    uint8_t flags;
    uint8_t check; /* kind ^ SF_MSG_CHECK */
};

_Static_assert(sizeof(struct sf_msg) == 64, "sifr_msg_t has 64 bytes");
_Static_assert(sizeof(sifr_msg_t) == sizeof(struct sf_msg), "sifr_msg_t holds a struct sf_msg");

static inline bool sf_msg_valid(const struct sf_msg *m)
{
    return m && (uint8_t)(m->kind ^ m->check) == SF_MSG_CHECK &&
           (uint8_t)(m->kind - SF_MSG_SMALL) <= SF_MSG_SLICE - SF_MSG_SMALL;
}

/* Makes an empty message of memory that holds none. */
static inline void sf_msg_init(struct sf_msg *m)
{
    m->meta = NULL;
    m->group = NULL;
    m->routing_id = 0;
    m->kind = SF_MSG_SMALL;
    m->small_size = 0;
    m->flags = 0;
    m->check = SF_MSG_SMALL ^ SF_MSG_CHECK;
}

/* A message of `size` unset bytes: 0 or -ENOMEM (then `m` holds no message). */
int sf_msg_init_size(struct sf_msg *m, size_t size);

/* A message with a copy of the bytes: 0 or -ENOMEM. `bytes` may be NULL when `size` is 0. */
int sf_msg_init_copy(struct sf_msg *m, const void *bytes, size_t size);

/* A message over the caller's buffer, as sifr_msg_init_data. 0 or -ENOMEM (`free_fn` not called). */
int sf_msg_init_data(struct sf_msg *m, void *data, size_t size, void (*free_fn)(void *, void *),
                     void *hint);

/* A slice of counted bytes; takes over one reference of `owner` (NULL: constant). */
static inline void sf_msg_init_slice(struct sf_msg *m, uint8_t *data, size_t size,
                                     struct sf_owner *owner)
{
    sf_msg_init(m);
    m->kind = SF_MSG_SLICE;
    m->check = SF_MSG_SLICE ^ SF_MSG_CHECK;
    m->slice.data = data;
    m->slice.size = size;
    m->slice.owner = owner;
}

/* Lets go of what `m` holds; `m` is no message afterwards. */
static inline void sf_msg_close(struct sf_msg *m)
{
    if (m->kind == SF_MSG_SLICE)
        sf_owner_unref(m->slice.owner);
    if (m->meta)
        sf_meta_unref(m->meta);
    if (m->group)
        sf_label_unref(m->group);
    m->kind = 0;
    m->check = 0;
}

/* Lets go of what `to` holds, takes what `from` holds, leaves `from` empty. */
void sf_msg_move(struct sf_msg *to, struct sf_msg *from);

/* Makes `to` (memory without a message) another holder of the same bytes: small ones copied, else shared. */
void sf_msg_share(struct sf_msg *to, struct sf_msg *from);

static inline uint8_t *sf_msg_data(struct sf_msg *m)
{
    return m->kind == SF_MSG_SMALL ? m->small : m->slice.data;
}

static inline size_t sf_msg_size(const struct sf_msg *m)
{
    return m->kind == SF_MSG_SMALL ? m->small_size : m->slice.size;
}

static inline bool sf_msg_more(const struct sf_msg *m)
{
    return m->flags & SF_MSG_MORE;
}

/* At most SF_MSG_INLINE bytes, without a call: by blocks that overlap. */
SF_OFTEN void sf_msg_copy_small(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n >= 16) {
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
        to[16 < n ? 16 : 0] = from[16 < n ? 16 : 0]; /* of 33 the middle */
    } else if (n >= 8) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = from[i];
    }
}

#endif
