/* Frame headers of ZMTP 1.0; those of later versions are inline in frame.h. */
#include "wire/frame.h"

size_t sf_frame1_put(uint8_t *to, unsigned flags, uint64_t size)
{
    uint64_t length = size + 1; /* counts the flags */

    flags &= SF_FRAME_MORE;
    if (length < 255) {
        to[0] = (uint8_t)length;
        to[1] = (uint8_t)flags;
        return 2;
    }
    to[0] = 0xff;
    sf_frame_put64(to + 1, length);
    to[9] = (uint8_t)flags;
    return 10;
}

int sf_frame1_get(struct sf_frame *f, const uint8_t *bytes, size_t n)
{
    uint64_t length;
    size_t header;

    if (n == 0)
        return -EAGAIN;
    header = bytes[0] == 0xff ? 10 : 2;
    if (header == 10) {
        if (n < 9)
            return -EAGAIN;
        length = sf_frame_get64(bytes + 1);
    } else {
        length = bytes[0];
    }
    if (length == 0 || length - 1 > INT64_MAX)
        return -EPROTO;
    if (n < header)
        return -EAGAIN;
    f->size = length - 1;
    f->flags = bytes[header - 1] & SF_FRAME_MORE; /* old peers set others too */
    return (int)header;
}
