/* ZeroMQ's oldest way to send and receive several frames: they are in no other API. */
#include "compat/compat.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

int zmq_sendiov(void *s, struct iovec *iov, size_t count, int flags)
{
    int sent = -1;

    if (!iov || count == 0) {
        errno = EINVAL;
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        int last = i + 1 == count;

        sent = sifr_send(s, iov[i].iov_base, iov[i].iov_len,
                         last ? flags & ~SIFR_SNDMORE : flags);
        if (sent < 0)
            return -1;
    }
    return sent;
}

/* Moves a received frame to memory that the caller frees with free(): 0, or -1 with errno. */
static int give_away(sifr_msg_t *msg, struct iovec *to)
{
    size_t size = sifr_msg_size(msg);

    to->iov_base = malloc(size ? size : 1);
    if (!to->iov_base) {
        errno = ENOMEM;
        return -1;
    }
    to->iov_len = size;
    memcpy(to->iov_base, sifr_msg_data(msg), size);
    return 0;
}

int zmq_recviov(void *s, struct iovec *iov, size_t *count, int flags)
{
    size_t room, n = 0;
    int more = 1, err = 0;

    if (!iov || !count || *count == 0) {
        errno = EINVAL;
        return -1;
    }
    room = *count > INT_MAX ? INT_MAX : *count;
    while (n < room && more && err == 0) {
        sifr_msg_t msg;

        sifr_msg_init(&msg);
        if (sifr_msg_recv(&msg, s, flags) < 0 || give_away(&msg, &iov[n]) != 0)
            err = errno;
        else
            n++;
        more = sifr_msg_more(&msg);
        sifr_msg_close(&msg);
    }
    *count = n;
    if (err) {
        errno = err;
        return -1;
    }
    return (int)n;
}
