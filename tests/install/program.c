/* A program of somebody who has sifr installed: one request and its reply within a process. */
#include <sifr.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *rep = sifr_socket(ctx, SIFR_REP);
    sifr_socket_t *req = sifr_socket(ctx, SIFR_REQ);
    int major, minor, patch;
    char got[8];

    sifr_version(&major, &minor, &patch);
    if (SIFR_MAKE_VERSION(major, minor, patch) != SIFR_VERSION)
        return 1;
    if (sifr_bind(rep, "inproc://program") || sifr_connect(req, "inproc://program"))
        return 2;
    if (sifr_send(req, "ping", 4, 0) != 4 || sifr_recv(rep, got, sizeof got, 0) != 4)
        return 3;
    if (sifr_send(rep, "pong", 4, 0) != 4 || sifr_recv(req, got, sizeof got, 0) != 4)
        return 4;
    if (memcmp(got, "pong", 4) != 0)
        return 5;
    if (sifr_close(req) || sifr_close(rep) || sifr_ctx_term(ctx))
        return 6;
    printf("sifr %d.%d.%d\n", major, minor, patch);
    return 0;
}
