/*
 * A program as others write it, for whatever zmq.h and libzmq it is built and run with: says which
 * library that is, and ends with 0 if all it did went well.
 */
#include <zmq.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define NEED(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s; errno %d (%s)\n", __LINE__, #condition, zmq_errno(), \
                    zmq_strerror(zmq_errno())); \
            exit(1); \
        } \
    } while (0)

static int freed;

static void count_free(void *data, void *hint)
{
    (void)hint;
    free(data);
    freed++;
}

static void echo(void *ctx)
{
    void *rep = zmq_socket(ctx, ZMQ_REP);
    char text[32];
    int size;

    NEED(rep && zmq_connect(rep, "inproc://back") == 0);
    while ((size = zmq_recv(rep, text, sizeof text, 0)) >= 0)
        NEED(zmq_send(rep, text, (size_t)size, 0) == size);
    NEED(errno == ETERM);
    NEED(zmq_close(rep) == 0);
}

static void proxy(void *sockets)
{
    void **s = sockets;

    NEED(zmq_proxy(s[0], s[1], NULL) == -1 && errno == ETERM);
    zmq_close(s[0]);
    zmq_close(s[1]);
}

static void requests(void *ctx, void *req)
{
    void *sockets[2] = {zmq_socket(ctx, ZMQ_ROUTER), zmq_socket(ctx, ZMQ_DEALER)}, *threads[2];
    char endpoint[256];
    size_t size = sizeof endpoint;

    NEED(sockets[0] && zmq_bind(sockets[0], "tcp://127.0.0.1:*") == 0);
    NEED(zmq_getsockopt(sockets[0], ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    NEED(sockets[1] && zmq_bind(sockets[1], "inproc://back") == 0);
    NEED(threads[0] = zmq_threadstart(proxy, sockets));
    NEED(threads[1] = zmq_threadstart(echo, ctx));
    NEED(zmq_connect(req, endpoint) == 0);
    for (int i = 0; i < 100; i++) {
        zmq_pollitem_t item = {req, 0, ZMQ_POLLIN, 0};
        int got = -1;

        NEED(zmq_send(req, &i, sizeof i, 0) == sizeof i);
        NEED(zmq_poll(&item, 1, 10000) == 1 && item.revents == ZMQ_POLLIN);
        NEED(zmq_recv(req, &got, sizeof got, ZMQ_DONTWAIT) == sizeof got && got == i);
        NEED(zmq_recv(req, &got, sizeof got, ZMQ_DONTWAIT) == -1 && zmq_errno() == EFSM);
    }
    zmq_close(req);
    NEED(zmq_ctx_shutdown(ctx) == 0);
    zmq_threadclose(threads[0]);
    zmq_threadclose(threads[1]);
}

static void messages(void *ctx)
{
    void *push = zmq_socket(ctx, ZMQ_PUSH), *pull = zmq_socket(ctx, ZMQ_PULL);
    zmq_msg_t msg, copy;
    char *data = malloc(100000);

    memset(data, 'x', 100000);
    NEED(zmq_bind(push, "inproc://messages") == 0 && zmq_connect(pull, "inproc://messages") == 0);
    NEED(zmq_msg_init_data(&msg, data, 100000, count_free, NULL) == 0);
    NEED(zmq_msg_init(&copy) == 0 && zmq_msg_copy(&copy, &msg) == 0);
    NEED(zmq_msg_send(&msg, push, ZMQ_SNDMORE) == 100000);
    NEED(zmq_send(push, "end", 3, 0) == 3);
    NEED(zmq_msg_recv(&msg, pull, 0) == 100000 && zmq_msg_more(&msg));
    NEED(memcmp(zmq_msg_data(&msg), zmq_msg_data(&copy), 100000) == 0);
    NEED(zmq_msg_recv(&msg, pull, 0) == 3 && !zmq_msg_more(&msg));
    NEED(freed == 0);
    NEED(zmq_msg_close(&copy) == 0 && zmq_msg_close(&msg) == 0);
    NEED(freed == 1);
    NEED(zmq_msg_close(&msg) == -1 && errno == EFAULT);
    zmq_close(push);
    zmq_close(pull);
}

int main(void)
{
    int major, minor, patch;
    void *ctx, *req;
    Dl_info info;

    zmq_version(&major, &minor, &patch);
    NEED(major == 4 && minor == 3);
    NEED(dladdr((void *)(size_t)&zmq_version, &info) != 0);
    ctx = zmq_ctx_new();
    NEED(ctx && zmq_ctx_get(ctx, ZMQ_MSG_T_SIZE) == (int)sizeof(zmq_msg_t));
    req = zmq_socket(ctx, ZMQ_REQ);
    NEED(req);
    messages(ctx);
    requests(ctx, req);
    NEED(zmq_ctx_term(ctx) == 0);
    NEED(zmq_getsockopt(req, ZMQ_TYPE, &major, &(size_t){sizeof major}) == -1 && errno == ENOTSOCK);
    printf("%d.%d.%d %s\n", 4, minor, patch, info.dli_fname);
    return 0;
}
