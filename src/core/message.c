/* The message functions of the API. */
#include "core/ctx.h"
#include "core/socket.h"
#include "security/security.h"
#include "wire/chunk.h"
#include "wire/msg.h"

#include <errno.h>
#include <string.h>

static struct sf_msg *inside(const sifr_msg_t *m)
{
    return (struct sf_msg *)(uintptr_t)m;
}

/* The message, or NULL with errno EFAULT. */
static struct sf_msg *valid(const sifr_msg_t *m)
{
    if (SF_RARE(!sf_msg_valid(inside(m)))) {
        errno = EFAULT;
        return NULL;
    }
    return inside(m);
}

static int answer(int err)
{
    if (err == 0)
        return 0;
    errno = -err;
    return -1;
}

int sifr_msg_init(sifr_msg_t *msg)
{
    if (!msg)
        return answer(-EFAULT);
    sf_msg_init(inside(msg));
    return 0;
}

int sifr_msg_init_size(sifr_msg_t *msg, size_t size)
{
    return answer(msg ? sf_msg_init_size(inside(msg), size) : -EFAULT);
}

int sifr_msg_init_buffer(sifr_msg_t *msg, const void *buf, size_t size)
{
    return answer(msg && (buf || size == 0) ? sf_msg_init_copy(inside(msg), buf, size) : -EFAULT);
}

int sifr_msg_init_data(sifr_msg_t *msg, void *data, size_t size, sifr_free_fn *free_fn, void *hint)
{
    return answer(msg && (data || size == 0)
                      ? sf_msg_init_data(inside(msg), data, size, free_fn, hint)
                      : -EFAULT);
}

int sifr_msg_close(sifr_msg_t *msg)
{
    if (!valid(msg))
        return -1;
    sf_msg_close(inside(msg));
    return 0;
}

int sifr_msg_move(sifr_msg_t *dst, sifr_msg_t *src)
{
    if (!valid(dst) || !valid(src))
        return -1;
    sf_msg_move(inside(dst), inside(src));
    return 0;
}

int sifr_msg_copy(sifr_msg_t *dst, sifr_msg_t *src)
{
    struct sf_msg copy, old;

    if (!valid(dst) || !valid(src))
        return -1;
    if (dst == src)
        return 0;
    sf_msg_share(&copy, inside(src));
    old = *inside(dst);
    *inside(dst) = copy;
    sf_msg_close(&old);
    return 0;
}

void *sifr_msg_data(sifr_msg_t *msg)
{
    return valid(msg) ? sf_msg_data(inside(msg)) : NULL;
}

size_t sifr_msg_size(const sifr_msg_t *msg)
{
    return valid(msg) ? sf_msg_size(inside(msg)) : 0;
}

int sifr_msg_more(const sifr_msg_t *msg)
{
    return valid(msg) ? sf_msg_more(inside(msg)) : 0;
}

int sifr_msg_get(const sifr_msg_t *msg, int property)
{
    struct sf_msg *m = valid(msg);

    if (!m)
        return -1;
    switch (property) {
    case SIFR_MORE: return sf_msg_more(m);
    case SIFR_SHARED:
        return m->kind == SF_MSG_SLICE && ((m->flags & SF_MSG_SHARED) || !m->slice.owner);
    case SIFR_SRCFD:
        if (m->meta && m->meta->fd >= 0)
            return m->meta->fd;
        break;
    default: break;
    }
    errno = EINVAL;
    return -1;
}

int sifr_msg_set(sifr_msg_t *msg, int property, int value)
{
    (void)msg, (void)property, (void)value;
    errno = EINVAL; /* there is nothing to set */
    return -1;
}

const char *sifr_msg_gets(const sifr_msg_t *msg, const char *name)
{
    struct sf_msg *m = valid(msg);
    const char *found;

    if (!m)
        return NULL;
    if (!name) {
        errno = EINVAL;
        return NULL;
    }
    if (strcmp(name, SIFR_MSG_PROPERTY_ROUTING_ID) == 0)
        name = "Identity"; /* as it is called on the wire */
    found = sf_meta_get(m->meta, name);
    if (!found)
        errno = EINVAL;
    return found;
}

uint32_t sifr_msg_routing_id(sifr_msg_t *msg)
{
    return valid(msg) ? inside(msg)->routing_id : 0;
}

int sifr_msg_set_routing_id(sifr_msg_t *msg, uint32_t routing_id)
{
    if (!valid(msg))
        return -1;
    if (routing_id == 0)
        return answer(-EINVAL);
    inside(msg)->routing_id = routing_id;
    return 0;
}

int sifr_msg_set_group(sifr_msg_t *msg, const char *group)
{
    struct sf_msg *m = valid(msg);
    struct sf_label *label = NULL;
    size_t size;

    if (!m)
        return -1;
    size = group ? strnlen(group, SF_LABEL_MAX + 1) : SF_LABEL_MAX + 1;
    if (size > SF_LABEL_MAX)
        return answer(-EINVAL);
    if (size) {
        label = sf_label_new(group, size);
        if (!label)
            return answer(-ENOMEM);
    }
    sf_label_unref(m->group);
    m->group = label;
    return 0;
}

const char *sifr_msg_group(sifr_msg_t *msg)
{
    struct sf_msg *m = valid(msg);

    if (!m)
        return NULL;
    return m->group ? m->group->text : "";
}

/* --- The library itself ------------------------------------------------ */

void sifr_version(int *major, int *minor, int *patch)
{
    if (major)
        *major = SIFR_VERSION_MAJOR;
    if (minor)
        *minor = SIFR_VERSION_MINOR;
    if (patch)
        *patch = SIFR_VERSION_PATCH;
}

int sifr_errno(void)
{
    return errno;
}

const char *sifr_strerror(int errnum)
{
    switch (errnum) {
    case SIFR_EFSM: return "Operation cannot be accomplished in current state";
    case SIFR_ENOCOMPATPROTO: return "The protocol is not compatible with the socket type";
    case SIFR_ETERM: return "Context was terminated";
    case SIFR_EMTHREAD: return "No thread available";
    case EHOSTUNREACH: return "Host unreachable";
    default: return strerror(errnum);
    }
}

int sifr_has(const char *capability)
{
    if (!capability)
        return 0;
    if (strcmp(capability, "curve") == 0)
        return sf_mechanism_find(SIFR_CURVE) != NULL;
    if (strcmp(capability, "gssapi") == 0)
        return sf_mechanism_find(SIFR_GSSAPI) != NULL;
    return strcmp(capability, "ipc") == 0 || strcmp(capability, "draft") == 0;
}
