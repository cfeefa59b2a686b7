/* RADIO: each message, of one frame, to those that joined its group (RFC 48). */
#include "patterns/option.h"
#include "patterns/request.h"
#include "patterns/xpub.h"

/*
 * A group is a topic with a 0 behind it: as no group has one within, what
 * begins with that topic is the group itself.
 */
enum { KEY_MAX = SF_LABEL_MAX + 1 };

struct radio {
    struct sf_xpub pub; /* the first */
    uint8_t key[KEY_MAX];
};

/* Understands the body of a JOIN or LEAVE: its name with its size, and the group. */
static bool group_request(struct sf_xpub *x, struct sf_request *r, struct sf_msg *m)
{
    struct radio *a = SF_CONTAINER(x, struct radio, pub);
    const uint8_t *bytes = sf_msg_data(m);
    size_t size = sf_msg_size(m), name;

    r->subscribe = size >= 5 && memcmp(bytes, "\x04JOIN", 5) == 0;
    if (!r->subscribe && !(size >= 6 && memcmp(bytes, "\x05LEAVE", 6) == 0))
        return false;
    name = r->subscribe ? 5 : 6;
    size -= name;
    if (size > SF_LABEL_MAX || (size && memchr(bytes + name, 0, size)))
        return false; /* no message can have such a group */
    memcpy(a->key, bytes + name, size);
    a->key[size] = 0;
    r->topic = a->key;
    r->size = size + 1;
    return true;
}

static int radio_init(struct sf_socket *s)
{
    struct sf_xpub *x = s->state;

    x->deaf = true;
    x->group_request = group_request;
    return sf_xpub_init(s);
}

/* Who filters for itself is sent to at once: nobody is to be waited for. */
static int radio_attach(struct sf_socket *s, struct sf_peer *p)
{
    int err = sf_xpub_attach(s, p);

    if (err == 0)
        sf_xpub_joined(s, p);
    return err;
}

static int radio_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct radio *a = s->state;
    size_t size = m->group ? m->group->size : 0;
    struct sf_msg group;
    int err;

    (void)wait;
    if (more)
        return -EINVAL;
    if (size)
        memcpy(a->key, m->group->text, size);
    a->key[size] = 0;
    sf_msg_init_slice(&group, a->key, size, NULL);
    group.flags = SF_MSG_BORROWED;
    err = sf_xpub_begin(s, a->key, size + 1, &group, true);
    if (err == 0)
        sf_fanout_rest(s, &a->pub.out, m, false);
    return err;
}

static int radio_events(struct sf_socket *s)
{
    (void)s;
    return SIFR_POLLOUT;
}

static int radio_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    struct radio *a = s->state;

    if (option == SIFR_XPUB_NODROP)
        return sf_option_flag(&a->pub.nodrop, value, size);
    return -EINVAL;
}

const struct sf_pattern sf_pattern_radio = {
    .name = "RADIO",
    .type = SIFR_RADIO,
    .talks_to = SF_TYPE(DISH),
    .flags = SF_PATTERN_SINGLE | SF_PATTERN_FANOUT | SF_PATTERN_COMMANDS | SF_PATTERN_GROUPS |
             SF_PATTERN_UDP_OUT,
    .size = sizeof(struct radio),
    .peer_size = sizeof(struct sf_xpub_peer),
    .init = radio_init,
    .fini = sf_xpub_fini,
    .attach = radio_attach,
    .joined = sf_xpub_joined,
    .lost = sf_xpub_lost,
    .ended = sf_xpub_ended,
    .detach = sf_xpub_detach,
    .readable = sf_xpub_readable,
    .writable = sf_xpub_writable,
    .send = radio_send,
    .events = radio_events,
    .set = radio_set,
};
