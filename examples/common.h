/*
 * What the examples share. A failed call or a wrong message ends the program
 * with status 1 and says where; so an example can show its idea and little else.
 */
#ifndef SIFR_EXAMPLES_COMMON_H
#define SIFR_EXAMPLES_COMMON_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* mkdtemp, sigaction, clock_gettime under -std=c11 */
#endif
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sifr.h>

enum { TEXT_MAX = 256 }; /* longest text or endpoint of an example, with its NUL */

/* The result of a call that must succeed; -1 ends the program. */
#define OK(call) ok_or_exit((call), #call, __FILE__, __LINE__)

/* What the example promises; otherwise the program ends. */
#define EXPECT(cond) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "%s:%d: expected: %s\n", __FILE__, __LINE__, #cond); \
            exit(1); \
        } \
    } while (0)

static inline int ok_or_exit(int rc, const char *call, const char *file, int line)
{
    if (rc == -1) {
        fprintf(stderr, "%s:%d: %s: %s\n", file, line, call, sifr_strerror(errno));
        exit(1);
    }
    return rc;
}

static inline sifr_ctx_t *new_context(void)
{
    sifr_ctx_t *ctx = sifr_ctx_new();

    EXPECT(ctx);
    return ctx;
}

static inline sifr_socket_t *new_socket(sifr_ctx_t *ctx, int type)
{
    sifr_socket_t *sock = sifr_socket(ctx, type);

    EXPECT(sock);
    return sock;
}

/* A bound socket; where names the endpoint really used (tcp://127.0.0.1:* picks a free port). */
static inline sifr_socket_t *bound(sifr_ctx_t *ctx, int type, const char *endpoint,
                                   char where[TEXT_MAX])
{
    sifr_socket_t *sock = new_socket(ctx, type);
    size_t len = TEXT_MAX;

    OK(sifr_bind(sock, endpoint));
    OK(sifr_getsockopt(sock, SIFR_LAST_ENDPOINT, where, &len));
    return sock;
}

static inline sifr_socket_t *connected(sifr_ctx_t *ctx, int type, const char *endpoint)
{
    sifr_socket_t *sock = new_socket(ctx, type);

    OK(sifr_connect(sock, endpoint));
    return sock;
}

static inline void set_int(sifr_socket_t *sock, int option, int value)
{
    OK(sifr_setsockopt(sock, option, &value, sizeof value));
}

/* Sends a string as one frame, without its NUL: other languages know none. */
static inline void send_text(sifr_socket_t *sock, const char *text, int flags)
{
    OK(sifr_send(sock, text, strlen(text), flags));
}

/* Receives one frame and ends it with a NUL. NULL says that the context is shutting down. */
static inline char *recv_text(sifr_socket_t *sock, char buf[TEXT_MAX])
{
    int n = sifr_recv(sock, buf, TEXT_MAX - 1, 0);

    if (n == -1 && errno == SIFR_ETERM)
        return NULL;
    OK(n);
    EXPECT(n < TEXT_MAX); /* the true size: a longer frame was cut */
    buf[n] = '\0';
    return buf;
}

/* Receives one frame that must hold just this text. */
static inline void recv_exactly(sifr_socket_t *sock, const char *text)
{
    char buf[TEXT_MAX];

    EXPECT(recv_text(sock, buf));
    if (strcmp(buf, text) != 0) {
        fprintf(stderr, "expected \"%s\", received \"%s\"\n", text, buf);
        exit(1);
    }
}

/* Whether frames of the message being received are left. */
static inline int has_more(sifr_socket_t *sock)
{
    int more;
    size_t len = sizeof more;

    OK(sifr_getsockopt(sock, SIFR_RCVMORE, &more, &len));
    return more;
}

static inline pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t t;

    EXPECT(pthread_create(&t, NULL, fn, arg) == 0);
    return t;
}

static inline void join(pthread_t t)
{
    EXPECT(pthread_join(t, NULL) == 0);
}

#endif
