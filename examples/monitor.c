/*
 * Watching a socket's connections: a monitor tells what happens to them, as
 * messages of two frames on a PAIR: the event with a value, and the endpoint.
 */
#include "common.h"

#include <stdint.h>

static const struct {
    int event;
    const char *name;
} events[] = {
    {SIFR_EVENT_LISTENING, "listening"},
    {SIFR_EVENT_ACCEPTED, "accepted"},
    {SIFR_EVENT_HANDSHAKE_SUCCEEDED, "handshake succeeded"},
    {SIFR_EVENT_DISCONNECTED, "disconnected"},
    {SIFR_EVENT_CLOSED, "closed"},
    {SIFR_EVENT_MONITOR_STOPPED, "monitor stopped"},
};

static int read_event(sifr_socket_t *pair)
{
    unsigned char frame[6]; /* event and value, in the machine's byte order, with no gap between */
    char endpoint[TEXT_MAX];
    uint16_t event;
    uint32_t value;
    const char *name = "?";

    EXPECT(OK(sifr_recv(pair, frame, sizeof frame, 0)) == sizeof frame);
    EXPECT(has_more(pair));
    EXPECT(recv_text(pair, endpoint));
    memcpy(&event, frame, sizeof event);
    memcpy(&value, frame + sizeof event, sizeof value);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i].event == event)
            name = events[i].name;
    }
    printf("%-20s value %u, %s\n", name, (unsigned)value, endpoint);
    return event;
}

int main(void)
{
    sifr_ctx_t *ctx = new_context();
    sifr_socket_t *rep = new_socket(ctx, SIFR_REP), *req, *pair;
    char endpoint[TEXT_MAX];
    size_t len = sizeof endpoint;

    /* Before binding, so that nothing is missed. */
    OK(sifr_socket_monitor(rep, "inproc://monitor", SIFR_EVENT_ALL));
    pair = connected(ctx, SIFR_PAIR, "inproc://monitor");

    OK(sifr_bind(rep, "tcp://127.0.0.1:*"));
    OK(sifr_getsockopt(rep, SIFR_LAST_ENDPOINT, endpoint, &len));
    EXPECT(read_event(pair) == SIFR_EVENT_LISTENING);

    req = connected(ctx, SIFR_REQ, endpoint);
    EXPECT(read_event(pair) == SIFR_EVENT_ACCEPTED);
    EXPECT(read_event(pair) == SIFR_EVENT_HANDSHAKE_SUCCEEDED);
    send_text(req, "Hello", 0); /* messages are no events */
    recv_exactly(rep, "Hello");
    send_text(rep, "World", 0);
    recv_exactly(req, "World");

    OK(sifr_close(req));
    EXPECT(read_event(pair) == SIFR_EVENT_DISCONNECTED);

    OK(sifr_close(rep));
    EXPECT(read_event(pair) == SIFR_EVENT_CLOSED); /* it listens no more */
    EXPECT(read_event(pair) == SIFR_EVENT_MONITOR_STOPPED);

    OK(sifr_close(pair));
    OK(sifr_ctx_term(ctx));
    return 0;
}
