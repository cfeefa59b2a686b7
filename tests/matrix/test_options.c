/*
 * Each row of the table of options: what it is at first, what it accepts and refuses, at any time, and that a test
 * shows what it does. Through sifr.h, and once more through zmq.h.
 *
 * With MATRIX_LIBZMQ in the environment it runs on the libzmq of the system, 4.3.4, which may differ in what
 * options_libzmq.h lists, and is not asked what would end its process.
 */
#include "options.h"
#include "options_libzmq.h"

#ifndef SIFR_SOURCE
#define SIFR_SOURCE "."
#endif

static bool libzmq;

/* What is claimed of a row holds, or is known to be otherwise in libzmq. */
#define claim(name, what, type, condition)                                                                             \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        bool holds_ = (condition);                                                                                     \
        if (!holds_ && !(libzmq && differs(name, what)))                                                               \
            ck_abort_msg("%s/%s, type %d: not %s (errno %d)", name, what, type, #condition, errno);                    \
    } while (0)

static bool differs(const char *name, const char *what)
{
    for (int i = 0; i < COUNT(differences); i++)
        if (strcmp(differences[i].name, name) == 0 &&
            (strcmp(differences[i].what, "*") == 0 || strcmp(differences[i].what, what) == 0))
            return true;
    return false;
}

/* ---- Values ----------------------------------------------------------------------------------------------------- */

static bool is_number(const struct option *o)
{
    return o->kind <= ID;
}

static size_t size_of(const struct option *o)
{
    return o->kind == WIDE ? 8 : 4;
}

static int set_number(void *s, const struct option *o, int64_t value)
{
    int narrow = (int)value;

    return o->kind == WIDE ? sifr_setsockopt(s, o->number, &value, sizeof value)
                           : sifr_setsockopt(s, o->number, &narrow, sizeof narrow);
}

/* Reads exactly as many bytes as it has. */
static bool get_number(void *s, const struct option *o, int64_t *value)
{
    size_t size = size_of(o);
    int narrow = 0;
    int err = o->kind == WIDE ? sifr_getsockopt(s, o->number, value, &size)
                              : sifr_getsockopt(s, o->number, &narrow, &size);

    if (o->kind != WIDE)
        *value = narrow;
    return err == 0 && size == size_of(o);
}

/* What was set reads as this. */
static int64_t as_read(const struct option *o, int64_t value)
{
    if (o->kind == FLAG)
        return value != 0;
    if (o->kind == STEPS)
        return value < 0 ? 0 : value / 100 * 100;
    return value;
}

/* What a socket that was just made can do. */
static int events_of(int type)
{
    unsigned never_wait = PUBLISHERS | IN(XSUB) | IN(ROUTER) | IN(STREAM) | IN(SERVER) | IN(PEER) | IN(RADIO);

    return never_wait & 1u << type ? SIFR_POLLOUT : 0;
}

static int64_t first_of(const struct option *o, int type)
{
    switch (o->number) {
    case SIFR_LINGER: return type == SIFR_SUB || type == SIFR_XSUB || type == SIFR_DISH ? 0 : o->first;
    case SIFR_TYPE: return type;
    case SIFR_THREAD_SAFE: return (SHARED & 1u << type) != 0;
    case SIFR_EVENTS: return events_of(type);
    }
    return o->first;
}

static bool known_to(const struct option *o, int type)
{
    return !not_built_in(o) && (o->types & 1u << type);
}

static bool refused(int result)
{
    return result == -1 && errno == EINVAL;
}

/* Of the socket, as bytes and their number; there is room for more. */
struct value {
    char bytes[2048];
    size_t size;
};

static struct value read_value(void *s, const struct option *o)
{
    struct value v = {.size = is_number(o) ? size_of(o) : sizeof v.bytes};

    if ((o->access & GET) && sifr_getsockopt(s, o->number, v.bytes, &v.size) != 0)
        v.size = SIZE_MAX;
    if (!(o->access & GET))
        v.size = 0;
    return v;
}

static bool same(struct value a, struct value b)
{
    return a.size == b.size && memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

/* ---- What is accepted --------------------------------------------------------------------------------------------- */

static void accept_number(void *s, const struct option *o, int type, int64_t value)
{
    int64_t back = 0;

    claim(o->name, "range", type, set_number(s, o, value) == 0);
    if (o->access & GET)
        claim(o->name, "read back", type, get_number(s, o, &back) && back == as_read(o, value));
    else
        claim(o->name, "unreadable", type, refused(get_number(s, o, &back) ? 0 : -1));
}

static void refuse_number(void *s, const struct option *o, int type, int64_t value)
{
    struct value was = read_value(s, o);

    claim(o->name, "outside", type, refused(set_number(s, o, value)));
    claim(o->name, "unharmed", type, same(was, read_value(s, o)));
}

static void try_numbers(void *s, const struct option *o, int type)
{
    accept_number(s, o, type, o->min);
    accept_number(s, o, type, o->max);
    if (o->min <= 0 && o->max >= 0)
        accept_number(s, o, type, 0);
    if (o->min <= 1 && o->max >= 1)
        accept_number(s, o, type, 1);
    if (o->kind == WIDE || o->kind == ID)
        return; /* nothing is outside */
    for (int64_t low = o->min - 1; low >= INT_MIN; low = low == o->min - 1 && low > INT_MIN ? INT_MIN : INT64_MIN)
        refuse_number(s, o, type, low);
    for (int64_t high = o->max + 1; high <= INT_MAX; high = high == o->max + 1 && high < INT_MAX ? INT_MAX : INT64_MAX)
        refuse_number(s, o, type, high);
}

/* What was set of these bytes reads back, with a NUL behind if it is text, and the rest of the room is cleared. */
static bool reads_as(void *s, const struct option *o, const char *bytes, size_t size)
{
    struct value v;
    size_t told = size + (o->kind == TEXT);

    memset(v.bytes, 'x', sizeof v.bytes);
    v.size = sizeof v.bytes;
    if (sifr_getsockopt(s, o->number, v.bytes, &v.size) != 0 || v.size != told || memcmp(v.bytes, bytes, size) != 0)
        return false;
    for (size_t i = size; i < sizeof v.bytes; i++)
        if (v.bytes[i])
            return false;
    v.size = told;
    if (sifr_getsockopt(s, o->number, v.bytes, &v.size) != 0 || v.size != told)
        return false;
    if (told == 0)
        return true;
    v.size = told - 1;
    return refused(sifr_getsockopt(s, o->number, v.bytes, &v.size));
}

static void accept_bytes(void *s, const struct option *o, int type, const char *bytes, size_t size)
{
    claim(o->name, "range", type, sifr_setsockopt(s, o->number, bytes, size) == 0);
    if (!(o->access & GET))
        return;
    if (o->number == SIFR_ROUTING_ID && type == SIFR_STREAM) /* tells of its connections instead */
        return;
    claim(o->name, "read back", type, reads_as(s, o, bytes ? bytes : "", size));
}

static void refuse_bytes(void *s, const struct option *o, int type, const char *bytes, size_t size)
{
    struct value was = read_value(s, o);

    claim(o->name, "outside", type, refused(sifr_setsockopt(s, o->number, bytes, size)));
    claim(o->name, "unharmed", type, same(was, read_value(s, o)));
}

static void try_texts(void *s, const struct option *o, int type)
{
    const struct texts *t = o->texts;
    char room[64];
    size_t size = sizeof room;

    for (int i = 0; i < COUNT(t->good) && t->good[i]; i++)
        accept_bytes(s, o, type, t->good[i], strlen(t->good[i]));
    for (int i = 0; i < COUNT(t->bad) && t->bad[i]; i++)
        refuse_bytes(s, o, type, t->bad[i], strlen(t->bad[i]));
    if (t->longest) {
        char text[2048];

        memset(text, 'a', sizeof text);
        memcpy(text, t->good[0], strlen(t->good[0]));
        accept_bytes(s, o, type, text, t->longest);
        refuse_bytes(s, o, type, text, t->longest + 1);
        refuse_bytes(s, o, type, text, sizeof text);
    }
    if (!t->empty)
        refuse_bytes(s, o, type, "", 0);
    else
        accept_bytes(s, o, type, "", 0);
    if (!t->null)
        refuse_bytes(s, o, type, NULL, 0);
    else if (t->kept)
        claim(o->name, "range", type, sifr_setsockopt(s, o->number, NULL, 0) == 0);
    else
        accept_bytes(s, o, type, NULL, 0);
    if (!libzmq)
        refuse_bytes(s, o, type, NULL, 4);
    if (!(o->access & GET))
        claim(o->name, "unreadable", type, refused(sifr_getsockopt(s, o->number, room, &size)));
}

enum { KEY_SIZE = 32, KEY_TEXT = 40, KEY_ROOM = 64 };

/* It reads as this key, in both forms, and into no other room. */
static bool reads_as_key(void *s, const struct option *o, const uint8_t *key)
{
    char text[KEY_ROOM], back[KEY_ROOM];

    if (!sifr_z85_encode(text, key, KEY_SIZE))
        return false;
    for (size_t room = 0; room <= sizeof back; room++) {
        size_t size = room;
        int err = sifr_getsockopt(s, o->number, back, &size);

        if (room == KEY_SIZE && (err || size != room || memcmp(back, key, KEY_SIZE) != 0))
            return false;
        if (room == KEY_TEXT + 1 && (err || size != room || strcmp(back, text) != 0))
            return false;
        if (room != KEY_SIZE && room != KEY_TEXT + 1 && !err)
            return false;
    }
    return true;
}

static void try_keys(void *s, const struct option *o, int type)
{
    uint8_t key[KEY_ROOM];
    char text[KEY_ROOM] = "";

    for (int i = 0; i < KEY_ROOM; i++)
        key[i] = (uint8_t)(i * 7 + 1);
    claim(o->name, "range", type, sifr_setsockopt(s, o->number, key, KEY_SIZE) == 0);
    claim(o->name, "read back", type, reads_as_key(s, o, key));
    key[0]++;
    ck_assert_ptr_nonnull(sifr_z85_encode(text, key, KEY_SIZE));
    for (size_t size = KEY_TEXT; size <= KEY_TEXT + 1; size++) {
        claim(o->name, "range", type, sifr_setsockopt(s, o->number, text, size) == 0);
        claim(o->name, "read back", type, reads_as_key(s, o, key));
    }
    for (size_t size = 0; size <= KEY_ROOM; size++)
        if (size != KEY_SIZE && size != KEY_TEXT && size != KEY_TEXT + 1)
            claim(o->name, "outside", type, refused(sifr_setsockopt(s, o->number, key, size)));
    text[3] = '~'; /* no character of Z85 */
    claim(o->name, "outside", type, refused(sifr_setsockopt(s, o->number, text, KEY_TEXT)));
    claim(o->name, "outside", type, refused(sifr_setsockopt(s, o->number, text, KEY_TEXT + 1)));
    claim(o->name, "outside", type, refused(sifr_setsockopt(s, o->number, NULL, 0)));
    if (!libzmq)
        claim(o->name, "outside", type, refused(sifr_setsockopt(s, o->number, NULL, KEY_SIZE)));
    claim(o->name, "unharmed", type, reads_as_key(s, o, key));
}

/* All that may be set: everything in and at the ends of its range, nothing else. */
static void try_row(void *s, const struct option *o, int type)
{
    if (!(o->access & SET))
        return;
    if (is_number(o))
        try_numbers(s, o, type);
    else if (o->kind == KEY)
        try_keys(s, o, type);
    else
        try_texts(s, o, type);
}

/* ---- The tests ------------------------------------------------------------------------------------------------------ */

/* Sockets as the library makes them. */
static void *plain_socket(int type)
{
    void *s = sifr_socket(world.ctx, type);

    ck_assert_ptr_nonnull(s);
    return s;
}

static void *quiet_socket(int type)
{
    void *s = plain_socket(type);
    int none = 0;

    ck_works(sifr_setsockopt(s, SIFR_LINGER, &none, sizeof none));
    return s;
}

START_TEST(each_is_at_first_what_it_should_be)
{
    const struct option *o = &options[_i];

    for (int type = 0; type < TYPES; type++) {
        void *s = plain_socket(type);
        int64_t value = 0;

        if (known_to(o, type) && (o->access & GET)) {
            if (o->number == SIFR_FD)
                claim(o->name, "first", type, get_number(s, o, &value) && value >= 0);
            else if (is_number(o))
                claim(o->name, "first", type, get_number(s, o, &value) && value == first_of(o, type));
            else if (o->kind == KEY)
                claim(o->name, "first", type, reads_as_key(s, o, (const uint8_t[KEY_SIZE]){0}));
            else
                claim(o->name, "first", type, reads_as(s, o, "", 0));
        }
        ck_works(sifr_close(s));
    }
}
END_TEST

START_TEST(each_accepts_its_range_and_nothing_else)
{
    const struct option *o = &options[_i];

    for (int type = 0; type < TYPES; type++) {
        void *s = quiet_socket(type);

        if (known_to(o, type))
            try_row(s, o, type);
        ck_works(sifr_close(s));
    }
}
END_TEST

START_TEST(each_may_be_set_when_there_are_endpoints)
{
    const struct option *o = &options[_i];
    struct endpoint nobody = fresh_endpoint(TCP), e;

    for (int type = 0; type < TYPES; type++) {
        void *s = quiet_socket(type);

        if (known_to(o, type) && type == SIFR_DGRAM) {
            ck_works(sifr_bind(s, "udp://127.0.0.1:*"));
            try_row(s, o, type);
        } else if (known_to(o, type)) {
            e = bind_fresh(s, TCP);
            (void)e;
            connect_to(s, &nobody);
            try_row(s, o, type);
        }
        ck_works(sifr_close(s));
    }
}
END_TEST

START_TEST(each_has_its_size_and_no_other)
{
    const struct option *o = &options[_i];
    char bytes[16] = {1, 0, 0, 0, 0, 0, 0, 0, 1};

    if (not_built_in(o) || !is_number(o))
        return;
    for (int type = 0; type < TYPES; type++) {
        void *s = quiet_socket(type);
        struct value was = read_value(s, o);

        if (known_to(o, type))
            for (size_t size = 0; size <= sizeof bytes; size++) {
                bool wide = o->kind == QUERY && size > 4;
                size_t room = size;

                if (size == size_of(o))
                    continue;
                claim(o->name, "size set", type, refused(sifr_setsockopt(s, o->number, bytes, size)));
                claim(o->name, "unharmed", type, same(was, read_value(s, o)));
                if (!wide)
                    claim(o->name, "size get", type, refused(sifr_getsockopt(s, o->number, bytes, &room)));
            }
        if (known_to(o, type) && o->kind == QUERY) {
            struct value v;

            memset(v.bytes, 'x', sizeof v.bytes);
            v.size = sizeof v.bytes;
            claim(o->name, "room", type, sifr_getsockopt(s, o->number, v.bytes, &v.size) == 0 && v.size == 4);
            for (size_t i = 4; i < sizeof v.bytes; i++)
                claim(o->name, "cleared", type, v.bytes[i] == 0);
        }
        if (known_to(o, type) && o->kind == ID)
            claim(o->name, "clear", type, sifr_setsockopt(s, o->number, NULL, 0) == 0);
        else if (known_to(o, type))
            claim(o->name, "clear", type, refused(sifr_setsockopt(s, o->number, NULL, 0)));
        if (known_to(o, type) && !libzmq) {
            size_t room = size_of(o);

            claim(o->name, "null", type, refused(sifr_setsockopt(s, o->number, NULL, size_of(o))));
            claim(o->name, "null", type, refused(sifr_getsockopt(s, o->number, NULL, &room)));
            claim(o->name, "null", type, refused(sifr_getsockopt(s, o->number, bytes, NULL)));
        }
        ck_works(sifr_close(s));
    }
}
END_TEST

/* A value that is accepted where the option is known. */
static int set_good(void *s, const struct option *o)
{
    if (not_built_in(o) || !(o->access & SET))
        return sifr_setsockopt(s, o->number, &(int){0}, 4);
    if (o->kind == KEY)
        return sifr_setsockopt(s, o->number, (char[KEY_SIZE]){0}, KEY_SIZE);
    return is_number(o) ? set_number(s, o, o->max) : sifr_setsockopt(s, o->number, o->texts->good[0], 1);
}

START_TEST(each_is_unknown_to_other_types_and_cannot_be_set_if_it_only_tells)
{
    static const size_t sizes[] = {0, 1, 4, 5, 8, 32, 41};
    const struct option *o = &options[_i];

    for (int type = 0; type < TYPES; type++) {
        void *s = quiet_socket(type);
        char bytes[64] = {0};

        if (!known_to(o, type) || !(o->access & SET))
            claim(o->name, "set there", type, refused(set_good(s, o)));
        if (!known_to(o, type))
            for (int i = 0; i < COUNT(sizes); i++) {
                size_t room = sizes[i];

                claim(o->name, "set there", type, refused(sifr_setsockopt(s, o->number, bytes, sizes[i])));
                claim(o->name, "get there", type, refused(sifr_getsockopt(s, o->number, bytes, &room)));
            }
        ck_works(sifr_close(s));
    }
}
END_TEST

START_TEST(each_needs_an_open_socket_of_a_live_context)
{
    const struct option *o = &options[_i];
    static const char zeroes[256];
    char bytes[64] = {0};
    void *handles[] = {NULL, (void *)(uintptr_t)zeroes, world.ctx, NULL};
    void *s = plain_socket(SIFR_PAIR), *live = plain_socket(SIFR_PAIR);
    size_t room = sizeof bytes;

    ck_works(sifr_close(s));
    handles[3] = s;
    for (int i = 0; i < (libzmq ? 1 : COUNT(handles)); i++) {
        claim(o->name, "handle", i, set_good(handles[i], o) == -1 && errno == ENOTSOCK);
        claim(o->name, "handle", i,
              sifr_getsockopt(handles[i], o->number, bytes, &room) == -1 && errno == ENOTSOCK);
    }
    ck_works(sifr_ctx_shutdown(world.ctx));
    if (libzmq) /* notices it by a call that waits */
        ck_assert_int_eq(sifr_recv(live, bytes, sizeof bytes, 0), -1);
    claim(o->name, "shut down", SIFR_PAIR, set_good(live, o) == -1 && errno == SIFR_ETERM);
    claim(o->name, "shut down", SIFR_PAIR,
          sifr_getsockopt(live, o->number, bytes, &room) == -1 && errno == SIFR_ETERM);
    ck_works(sifr_close(live));
}
END_TEST

START_TEST(other_numbers_are_no_options)
{
    void *s = quiet_socket(_i);

    for (int number = -10; number < 2000; number++) {
        bool known = false;

        for (int i = 0; i < COUNT(options); i++)
            known |= options[i].number == number;
        for (size_t size = 0; size <= 8 && !known; size += 4) {
            char bytes[8] = {0};
            size_t room = size;

            claim("unknown", "set", number, refused(sifr_setsockopt(s, number, bytes, size)));
            claim("unknown", "get", number, refused(sifr_getsockopt(s, number, bytes, &room)));
        }
    }
    ck_works(sifr_close(s));
}
END_TEST

/* ---- Contexts ------------------------------------------------------------------------------------------------------- */

static int context_value(const struct context_option *o, int value)
{
    return o->flag ? value != 0 : value;
}

/* Reads it, in the two ways there are. */
static bool context_reads(const struct context_option *o, int value)
{
    int back = -12345;
    size_t size = sizeof back;

    errno = 0;
    if (sifr_ctx_get(world.ctx, o->number) != value || errno)
        return false;
    return libzmq || (sifr_ctx_get_ext(world.ctx, o->number, &back, &size) == 0 && back == value && size == 4);
}

START_TEST(contexts_begin_with_what_they_should)
{
    for (int i = 0; i < COUNT(context_options); i++) {
        const struct context_option *o = &context_options[i];

        if (o->access & GET)
            claim(o->name, "first", -1, context_reads(o, o->first));
    }
}
END_TEST

static void accept_context(const struct context_option *o, int value)
{
    claim(o->name, "range", value, sifr_ctx_set(world.ctx, o->number, value) == 0);
    if (o->access & GET)
        claim(o->name, "read back", value, context_reads(o, context_value(o, value)));
    if (libzmq)
        return;
    if (o->number == SIFR_THREAD_AFFINITY_CPU_REMOVE) /* it is there no more */
        ck_works(sifr_ctx_set(world.ctx, SIFR_THREAD_AFFINITY_CPU_ADD, value));
    claim(o->name, "range", value, sifr_ctx_set_ext(world.ctx, o->number, &value, sizeof value) == 0);
}

static void refuse_context(const struct context_option *o, int value)
{
    int was = sifr_ctx_get(world.ctx, o->number);

    claim(o->name, "outside", value, refused(sifr_ctx_set(world.ctx, o->number, value)));
    claim(o->name, "unharmed", value, sifr_ctx_get(world.ctx, o->number) == was);
    if (!libzmq)
        claim(o->name, "outside", value,
              refused(sifr_ctx_set_ext(world.ctx, o->number, &value, sizeof value)));
}

static void try_context(const struct context_option *o)
{
    int64_t ends[] = {o->min, o->max}, outside[] = {(int64_t)o->min - 1, INT_MIN, (int64_t)o->max + 1};

    if (!(o->access & SET)) {
        if (o->number != SIFR_THREAD_PRIORITY) /* which shares its number with what can be read */
            refuse_context(o, o->first);
        return;
    }
    for (int i = 0; i < COUNT(ends); i++) {
        if (o->number == SIFR_THREAD_AFFINITY_CPU_REMOVE) {
            refuse_context(o, (int)ends[i]); /* was never added */
            ck_works(sifr_ctx_set(world.ctx, SIFR_THREAD_AFFINITY_CPU_ADD, (int)ends[i]));
        }
        accept_context(o, (int)ends[i]);
    }
    for (int i = 0; i < COUNT(outside); i++)
        if ((outside[i] < o->min || outside[i] > o->max) && outside[i] >= INT_MIN && outside[i] <= INT_MAX)
            refuse_context(o, (int)outside[i]);
    if (!(o->access & GET) && o->number != SIFR_SOCKET_LIMIT)
        claim(o->name, "unreadable", -1, refused(sifr_ctx_get(world.ctx, o->number)));
}

START_TEST(each_of_a_context_accepts_its_range_and_nothing_else)
{
    try_context(&context_options[_i]);
}
END_TEST

START_TEST(each_of_a_context_may_be_set_when_there_are_sockets_and_after_shutdown)
{
    void *s = plain_socket(SIFR_PAIR);

    try_context(&context_options[_i]);
    ck_works(sifr_ctx_shutdown(world.ctx));
    try_context(&context_options[_i]);
    ck_works(sifr_close(s));
}
END_TEST

START_TEST(each_of_a_context_has_four_bytes)
{
    const struct context_option *o = &context_options[_i];
    char bytes[32] = {1};

    if (libzmq) /* has no such functions */
        return;
    for (size_t size = 0; size <= sizeof bytes; size++) {
        bool text = o->number == SIFR_THREAD_NAME_PREFIX;
        size_t room = size;

        if (size == 4)
            continue;
        if (!text || size == 0 || size > 16)
            claim(o->name, "size set", (int)size, refused(sifr_ctx_set_ext(world.ctx, o->number, bytes, size)));
        if (!text)
            claim(o->name, "size get", (int)size, refused(sifr_ctx_get_ext(world.ctx, o->number, bytes, &room)));
    }
    claim(o->name, "null", -1, refused(sifr_ctx_set_ext(world.ctx, o->number, NULL, 4)));
    claim(o->name, "null", -1, refused(sifr_ctx_get_ext(world.ctx, o->number, NULL, &(size_t){4})));
    claim(o->name, "null", -1, refused(sifr_ctx_get_ext(world.ctx, o->number, bytes, NULL)));
}
END_TEST

START_TEST(each_of_a_context_needs_a_live_one)
{
    const struct context_option *o = &context_options[_i];
    static const char zeroes[4096];
    void *ended = sifr_ctx_new(), *s = plain_socket(SIFR_PAIR);
    void *handles[] = {NULL, (void *)(uintptr_t)zeroes, s, ended};
    int value = 1;

    ck_works(sifr_ctx_term(ended));
    for (int i = 0; i < (libzmq ? 1 : COUNT(handles)); i++) {
        claim(o->name, "handle", i, sifr_ctx_set(handles[i], o->number, 1) == -1 && errno == EFAULT);
        claim(o->name, "handle", i, sifr_ctx_get(handles[i], o->number) == -1 && errno == EFAULT);
        if (libzmq)
            continue;
        claim(o->name, "handle", i,
              sifr_ctx_set_ext(handles[i], o->number, &value, sizeof value) == -1 && errno == EFAULT);
        claim(o->name, "handle", i,
              sifr_ctx_get_ext(handles[i], o->number, &value, &(size_t){4}) == -1 && errno == EFAULT);
    }
    ck_works(sifr_close(s));
}
END_TEST

START_TEST(other_numbers_are_no_options_of_contexts)
{
    for (int number = -10; number < 2000; number++) {
        bool known = false;

        for (int i = 0; i < COUNT(context_options); i++)
            known |= context_options[i].number == number;
        if (known)
            continue;
        claim("unknown", "set", number, refused(sifr_ctx_set(world.ctx, number, 1)));
        claim("unknown", "get", number, refused(sifr_ctx_get(world.ctx, number)));
        if (libzmq)
            continue;
        claim("unknown", "set", number, refused(sifr_ctx_set_ext(world.ctx, number, &(int){1}, 4)));
        claim("unknown", "get", number, refused(sifr_ctx_get_ext(world.ctx, number, &(int){1}, &(size_t){4})));
    }
}
END_TEST

/* ---- The table itself ----------------------------------------------------------------------------------------------- */

static char *read_source(const char *name)
{
    char path[512], *text = calloc(1, 1 << 20);
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", SIFR_SOURCE, name);
    f = fopen(path, "r");
    ck_assert_msg(text && f, "%s cannot be read", path);
    n = fread(text, 1, (1 << 20) - 1, f);
    ck_assert_msg(n > 0 && feof(f), "%s is longer than thought", path);
    fclose(f);
    return text;
}

/* Names in those parts of the headers that are values, not options. */
static bool is_value(const char *name)
{
    static const char *const values[] = {"NULL", "PLAIN", "CURVE", "GSSAPI", "NOTIFY_CONNECT", "NOTIFY_DISCONNECT"};
    static const char *const kinds[] = {"RECONNECT_STOP_", "GSSAPI_NT_"};
    size_t n = strlen(name);

    for (int i = 0; i < COUNT(values); i++)
        if (strcmp(values[i], name) == 0)
            return true;
    for (int i = 0; i < COUNT(kinds); i++)
        if (strncmp(kinds[i], name, strlen(kinds[i])) == 0)
            return true;
    return n > 5 && strcmp(name + n - 5, "_DFLT") == 0;
}

static bool has_row(const char *name, int number, bool of_contexts)
{
    for (int i = 0; i < COUNT(options) && !of_contexts; i++)
        if (options[i].number == number && strcmp(options[i].name, name) == 0)
            return true;
    for (int i = 0; i < COUNT(context_options) && of_contexts; i++)
        if (context_options[i].number == number && strcmp(context_options[i].name, name) == 0)
            return true;
    return false;
}

/* Between the two texts each `#define PREFIX_NAME number` has a row; how many there are. */
static int check_part(const char *header, const char *prefix, const char *from, const char *to, bool of_contexts)
{
    char *text = read_source(header), *begin = strstr(text, from), *end; /* the line of `from` is left out */
    int rows = 0;

    ck_assert_msg(begin != NULL, "%s has no '%s'", header, from);
    end = strstr(begin + strlen(from), to);
    ck_assert_msg(end != NULL, "%s has no '%s'", header, to);
    *end = 0;
    for (char *line = strtok(begin + strlen(from), "\n"); line; line = strtok(NULL, "\n")) {
        char name[64], number[16];
        size_t skip = strlen(prefix);

        if (sscanf(line, "#define %63s %15[0-9-]", name, number) != 2 || strncmp(name, prefix, skip) != 0 ||
            is_value(name + skip))
            continue;
        ck_assert_msg(has_row(name + skip, atoi(number), of_contexts), "%s: no row for %s %s", header, name, number);
        rows++;
    }
    free(text);
    return rows;
}

START_TEST(every_option_of_the_headers_has_a_row)
{
    static const char context[] = "/* ---- Context ---", socket[] = "/* ---- Socket options ---";
    int n;

    ck_assert_int_eq(check_part("include/sifr.h", "SIFR_", context, "sifr_ctx_new", true), COUNT(context_options) - 1);
    check_part("include/sifr.h", "SIFR_", socket, "sifr_setsockopt", false);
    n = check_part("include/compat/zmq.h", "ZMQ_", "\n/* Options. */", "\n/* Properties of messages. */", false);
    n += check_part("include/compat/zmq.h", "ZMQ_", "\n#define ZMQ_CHANNEL", "#define ZMQ_ZERO_COPY_RECV", false);
    ck_assert_int_eq(n, COUNT(options));
}
END_TEST

static bool runs_on_both_sides(const char *folder, const char *program)
{
    char both[128], name[128], *text;
    bool found;

    if (strcmp(folder, "matrix") == 0)
        return true;
    text = read_source("CMakeLists.txt");
    snprintf(name, sizeof name, "%s/%s", folder, program);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
        if (strchr(" )\n", at[strlen(name)])) {
            free(text);
            return true;
        }
    snprintf(both, sizeof both, "%s/test_%s.c", folder, program);
    found = strstr(text, both) != NULL;
    free(text);
    return found;
}

/* "folder/program:test": there is such a test, it is run, and on both sides. */
static void check_effect(const char *name, const char *effect)
{
    char folder[32], program[64], test[128], path[256], wanted[256], *text;

    ck_assert_msg(sscanf(effect, "%31[a-z]/%63[a-z_0-9]:%127[A-Za-z_0-9]", folder, program, test) == 3, "%s: '%s'",
                  name, effect);
    snprintf(path, sizeof path, "tests/%s/test_%s.c", folder, program);
    text = read_source(path);
    snprintf(wanted, sizeof wanted, "START_TEST(%s)", test);
    ck_assert_msg(strstr(text, wanted) != NULL, "%s: %s has no %s", name, path, test);
    snprintf(wanted, sizeof wanted, "(c, %s", test);
    ck_assert_msg(strstr(text, wanted) != NULL, "%s: %s does not run %s", name, path, test);
    ck_assert_msg(runs_on_both_sides(folder, program), "%s: %s does not run on the drop-in", name, path);
    free(text);
}

static void check_effects(const char *name, const char *effects)
{
    char list[1024], *rest = list;

    ck_assert_msg(effects && *effects, "%s: nothing shows what it does", name);
    if (*effects == '-') {
        ck_assert_msg(strlen(effects) > 10, "%s: why?", name);
        return;
    }
    snprintf(list, sizeof list, "%s", effects);
    for (char *effect = strtok_r(rest, " ", &rest); effect; effect = strtok_r(NULL, " ", &rest))
        check_effect(name, effect);
}

START_TEST(a_test_shows_what_each_does)
{
    int without = 0;

    for (int i = 0; i < COUNT(options); i++) {
        check_effects(options[i].name, options[i].effect);
        without += !not_built_in(&options[i]) && *options[i].effect == '-';
    }
    for (int i = 0; i < COUNT(context_options); i++) {
        check_effects(context_options[i].name, context_options[i].effect);
        without += *context_options[i].effect == '-';
    }
    ck_assert_int_eq(without, 5); /* that are kept and no more */
}
END_TEST

START_TEST(where_libzmq_differs_is_told)
{
    char *page = read_source("docs/differences.md");

    for (int i = 0; i < COUNT(differences); i++)
        if (differences[i].told)
            ck_assert_msg(strstr(page, differences[i].name) != NULL, "docs/differences.md says nothing of %s",
                          differences[i].name);
    free(page);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/options");
    TCase *c = new_case(s, "sockets");
    int major, minor, patch;

    libzmq = getenv("MATRIX_LIBZMQ") != NULL;
    sifr_version(&major, &minor, &patch);
    if (libzmq && (major != 4 || minor != 3 || patch != 4))
        return 77; /* of no other release it is known how it differs */
    tcase_add_loop_test(c, each_is_at_first_what_it_should_be, 0, COUNT(options));
    tcase_add_loop_test(c, each_accepts_its_range_and_nothing_else, 0, COUNT(options));
    tcase_add_loop_test(c, each_may_be_set_when_there_are_endpoints, 0, COUNT(options));
    tcase_add_loop_test(c, each_has_its_size_and_no_other, 0, COUNT(options));
    tcase_add_loop_test(c, each_is_unknown_to_other_types_and_cannot_be_set_if_it_only_tells, 0, COUNT(options));
    tcase_add_loop_test(c, each_needs_an_open_socket_of_a_live_context, 0, COUNT(options));
    tcase_add_loop_test(c, other_numbers_are_no_options, 0, TYPES);
    c = new_case(s, "contexts");
    tcase_add_test(c, contexts_begin_with_what_they_should);
    tcase_add_loop_test(c, each_of_a_context_accepts_its_range_and_nothing_else, 0, COUNT(context_options));
    tcase_add_loop_test(c, each_of_a_context_may_be_set_when_there_are_sockets_and_after_shutdown, 0,
                        COUNT(context_options));
    tcase_add_loop_test(c, each_of_a_context_has_four_bytes, 0, COUNT(context_options));
    tcase_add_loop_test(c, each_of_a_context_needs_a_live_one, 0, COUNT(context_options));
    tcase_add_test(c, other_numbers_are_no_options_of_contexts);
    if (!libzmq) {
        c = new_bare_case(s, "the table");
        tcase_add_test(c, every_option_of_the_headers_has_a_row);
        tcase_add_test(c, a_test_shows_what_each_does);
        tcase_add_test(c, where_libzmq_differs_is_told);
    }
    return run_suite(s);
}
