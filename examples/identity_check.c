/*
 * Routing ids: a ROUTER puts the id of the peer before each message it hands
 * over, and takes the first frame it is given as the peer to send to. Peers may
 * choose their id; for the others the ROUTER makes one up.
 */
#include "common.h"

static int show_frame(sifr_socket_t *sock, unsigned char *buf, size_t size)
{
    int n = OK(sifr_recv(sock, buf, size, 0));

    EXPECT((size_t)n <= size);
    printf("  [%3d] ", n);
    for (int i = 0; i < n; i++)
        printf(buf[0] ? "%c" : "%02x", buf[i]); /* ids made up begin with a zero byte */
    printf("\n");
    return n;
}

/* Shows the three frames a REQ's message has at a ROUTER, and answers. Returns the id's size. */
static int show_and_answer(sifr_socket_t *router, unsigned char id[TEXT_MAX])
{
    unsigned char buf[TEXT_MAX];
    int n;

    printf("router: received\n");
    n = show_frame(router, id, TEXT_MAX);
    EXPECT(show_frame(router, buf, sizeof buf) == 0); /* REQ's delimiter */
    EXPECT(has_more(router));
    show_frame(router, buf, sizeof buf);
    EXPECT(!has_more(router));

    OK(sifr_send(router, id, (size_t)n, SIFR_SNDMORE));
    send_text(router, "", SIFR_SNDMORE);
    send_text(router, "I know you", 0);
    return n;
}

int main(void)
{
    sifr_ctx_t *ctx = new_context();
    char endpoint[TEXT_MAX];
    unsigned char id[TEXT_MAX];
    sifr_socket_t *router, *anonymous, *named;

    router = bound(ctx, SIFR_ROUTER, "tcp://127.0.0.1:*", endpoint);

    anonymous = connected(ctx, SIFR_REQ, endpoint);
    send_text(anonymous, "ROUTER makes up an id for me", 0);
    EXPECT(show_and_answer(router, id) == 5 && id[0] == 0);
    recv_exactly(anonymous, "I know you");

    named = new_socket(ctx, SIFR_REQ);
    OK(sifr_setsockopt(named, SIFR_ROUTING_ID, "PEER2", 5)); /* before connecting */
    OK(sifr_connect(named, endpoint));
    send_text(named, "I chose mine", 0);
    EXPECT(show_and_answer(router, id) == 5 && memcmp(id, "PEER2", 5) == 0);
    recv_exactly(named, "I know you");

    /* A message for nobody is dropped, unless the ROUTER is told to complain. */
    send_text(router, "PEER3", SIFR_SNDMORE);
    send_text(router, "is anybody there?", 0);
    set_int(router, SIFR_ROUTER_MANDATORY, 1);
    EXPECT(sifr_send(router, "PEER3", 5, SIFR_SNDMORE) == -1 && errno == EHOSTUNREACH);
    printf("router: PEER3: %s\n", sifr_strerror(errno));

    OK(sifr_close(anonymous));
    OK(sifr_close(named));
    OK(sifr_close(router));
    OK(sifr_ctx_term(ctx));
    return 0;
}
