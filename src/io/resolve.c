/* Looks host names up, off the loop. */
#include "io/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/list.h"

/* `error`: errno after the look-up. */
static int translate(int gai, int error)
{
    switch (gai) {
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        if (error == EMFILE || error == ENFILE)
            return -EMFILE;
        return error == ENOMEM ? -ENOMEM : -ENODEV;
    case EAI_AGAIN:
        return -EAGAIN;
    default:
        return -ENODEV;
    }
}

/* What all mean by it, as name servers are not to be asked (RFC 6761, 6.3). */
static int find_localhost(struct sf_address **list, size_t *n, uint16_t port, bool ipv6)
{
    struct sf_address *found = sf_alloc(2 * sizeof *found);
    size_t count = 0;

    if (!found)
        return -ENOMEM;
    if (ipv6 && sf_addr_parse(&found[count], "::1", port, true) == 0)
        count++;
    if (sf_addr_parse(&found[count], "127.0.0.1", port, ipv6) == 0)
        count++;
    *list = found;
    *n = count;
    return 0;
}

int sf_lookup_now(struct sf_address **list, size_t *n, const char *host, uint16_t port, bool ipv6)
{
    struct addrinfo hints = {0}, *all = NULL;
    struct sf_address *found;
    size_t count = 0;
    bool localhost = strcasecmp(host, "localhost") == 0;
    int err;

    /* Only the system knows whether here the name means ::1, too, so with IPv6 it is asked. */
    if (localhost && !ipv6)
        return find_localhost(list, n, port, false);
    hints.ai_family = ipv6 ? AF_INET6 : AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ipv6 ? AI_V4MAPPED | AI_ALL : 0;
    err = getaddrinfo(host, NULL, &hints, &all);
    if (err && localhost) /* /etc/hosts may be missing */
        return find_localhost(list, n, port, ipv6);
    if (err)
        return translate(err, errno);
    for (struct addrinfo *a = all; a; a = a->ai_next)
        count++;
    found = sf_alloc((count ? count : 1) * sizeof *found);
    if (!found) {
        freeaddrinfo(all);
        return -ENOMEM;
    }
    count = 0;
    for (struct addrinfo *a = all; a; a = a->ai_next) {
        if (a->ai_addrlen > sizeof found->storage)
            continue;
        memcpy(&found[count].storage, a->ai_addr, a->ai_addrlen);
        found[count].len = a->ai_addrlen;
        sf_addr_set_port(&found[count], port);
        count++;
    }
    freeaddrinfo(all);
    if (!count) {
        sf_free(found);
        return -ENODEV;
    }
    *list = found;
    *n = count;
    return 0;
}

static void work(struct sf_job *j)
{
    struct sf_lookup *l = SF_CONTAINER(j, struct sf_lookup, job);

    l->error = sf_lookup_now(&l->list, &l->n, l->host, l->port, l->ipv6);
}

static void report(struct sf_job *j)
{
    struct sf_lookup *l = SF_CONTAINER(j, struct sf_lookup, job);

    if (j->error)
        l->error = j->error;
    l->done(l);
}

static void destroy(struct sf_job *j)
{
    struct sf_lookup *l = SF_CONTAINER(j, struct sf_lookup, job);

    sf_free(l->list);
    sf_free(l);
}

int sf_lookup_start(struct sf_lookup **out, struct sf_loop *loop, const char *host, uint16_t port,
                    bool ipv6, void (*done)(struct sf_lookup *l), void *arg)
{
    size_t n = strlen(host);
    struct sf_lookup *l;
    int err;

    if (n == 0 || n >= SF_ADDR_HOST_MAX)
        return -EINVAL;
    l = sf_alloc(sizeof *l);
    if (!l)
        return -ENOMEM;
    memcpy(l->host, host, n + 1);
    l->port = port;
    l->ipv6 = ipv6;
    l->done = done;
    l->arg = arg;
    l->job = (struct sf_job){.work = work, .done = report, .destroy = destroy};
    err = sf_job_start(&l->job, SF_CREW_NAMES, loop);
    if (err) {
        destroy(&l->job);
        return err;
    }
    *out = l;
    return 0;
}

void sf_lookup_free(struct sf_lookup *l)
{
    if (l)
        sf_job_end(&l->job);
}
