/*
 * The other side of a client's jobs: `peer FOLDER` prints which libzmq it runs on and where it takes
 * orders, and plays its part of each job until it is told to quit. CONTRIBUTING.md names the jobs.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    MESSAGES = 200,
    BODY_MAX = 100000,
    LIMIT_MS = 60000 /* No wait is longer, so that a client that died ends its peer. */
};

struct job {
    char role[8];
    void *socket;
    pthread_t thread;
    bool started;
    atomic_bool synced; /* A SUB has its first message. */
    char error[256];    /* Why it failed, or empty. */
};

static void *ctx;
static struct job job;

/* Says on standard output which library the process has mapped. */
static bool print_library(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    char path[4096] = "";
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *name = strchr(line, '/');
        if (name == NULL || strstr(name, "/libzmq.so") == NULL)
            continue;
        name[strcspn(name, "\n")] = '\0';
        if (path[0] != '\0' && strcmp(path, name) != 0)
            return false; /* Two libraries. */
        strcpy(path, name);
    }
    if (maps == NULL)
        return false;
    fclose(maps);
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    printf("library %s\nversion %d.%d.%d\n", path, major, minor, patch);
    return path[0] != '\0';
}

/* The job has failed: keeps the first reason. */
static bool fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (job.error[0] == '\0')
        vsnprintf(job.error, sizeof job.error, format, arguments);
    va_end(arguments);
    return false;
}

static size_t body_size(unsigned number)
{
    return number == MESSAGES / 2 ? BODY_MAX : number * number * 37 % 3000;
}

static bool send_numbered(const char *prefix, unsigned number)
{
    static _Thread_local unsigned char body[BODY_MAX];
    char head[64];
    size_t size = body_size(number);
    for (size_t at = 0; at < size; at++)
        body[at] = (unsigned char)(number + at);
    snprintf(head, sizeof head, "%s%u", prefix, number);
    if (zmq_send(job.socket, head, strlen(head), ZMQ_SNDMORE) == -1 ||
        zmq_send(job.socket, body, size, 0) == -1)
        return fail("send of %s: %s", head, zmq_strerror(zmq_errno()));
    return true;
}

/* Receives a head and a body; the head goes to HEAD, the body to the caller, who closes it. */
static bool receive_parts(char head[64], zmq_msg_t *body)
{
    int size = zmq_recv(job.socket, head, 63, 0);
    if (size == -1 || size > 63)
        return fail("receive: %s", size == -1 ? zmq_strerror(zmq_errno()) : "a head too long");
    head[size] = '\0';
    int more;
    size_t more_size = sizeof more;
    if (zmq_getsockopt(job.socket, ZMQ_RCVMORE, &more, &more_size) == -1 || !more)
        return fail("%s came without a body", head);
    zmq_msg_init(body);
    if (zmq_msg_recv(body, job.socket, 0) == -1)
        return fail("receive of a body: %s", zmq_strerror(zmq_errno()));
    if (zmq_msg_more(body))
        return fail("%s came with a third part", head);
    return true;
}

static bool check(const char *head, zmq_msg_t *body, const char *prefix, unsigned number)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%s%u", prefix, number);
    const unsigned char *data = zmq_msg_data(body);
    size_t size = zmq_msg_size(body);
    bool same = strcmp(head, expected) == 0 && size == body_size(number);
    for (size_t at = 0; same && at < size; at++)
        same = data[at] == (unsigned char)(number + at);
    zmq_msg_close(body);
    return same || fail("%s with %zu bytes instead of %s with %zu, or other bytes", head, size,
                        expected, body_size(number));
}

static bool receive_numbered(const char *prefix, unsigned number)
{
    char head[64];
    zmq_msg_t body;
    return receive_parts(head, &body) && check(head, &body, prefix, number);
}

static bool publish(void)
{
    char subscription[64];
    int size = zmq_recv(job.socket, subscription, sizeof subscription, 0);
    if (size != 3 || memcmp(subscription, "\1a.", 3) != 0)
        return fail("a subscription of %d bytes", size);
    for (unsigned i = 0; i < MESSAGES; i++)
        if (!send_numbered(i % 2 ? "b." : "a.", i))
            return false;
    return zmq_send(job.socket, "a.end", 5, ZMQ_SNDMORE) == 5 &&
           zmq_send(job.socket, "", 0, 0) == 0;
}

static bool subscribe(void)
{
    for (unsigned i = 0;;) {
        char head[64];
        zmq_msg_t body;
        if (!receive_parts(head, &body))
            return false;
        if (strcmp(head, "a.end") == 0) {
            zmq_msg_close(&body);
            return i == MESSAGES || fail("the end came at %u", i);
        }
        if (strcmp(head, "a.sync") == 0 && i == 0) {
            zmq_msg_close(&body);
            atomic_store(&job.synced, true);
        } else {
            if (!check(head, &body, "a.", i))
                return false;
            i += 2;
        }
    }
}

static bool play(void)
{
    if (strcmp(job.role, "pub") == 0)
        return publish();
    if (strcmp(job.role, "sub") == 0)
        return subscribe();
    for (unsigned i = 0; i < MESSAGES; i++) {
        bool went = false;
        if (strcmp(job.role, "rep") == 0)
            went = receive_numbered("", i) && send_numbered("re ", i);
        else if (strcmp(job.role, "req") == 0)
            went = send_numbered("", i) && receive_numbered("re ", i);
        else if (strcmp(job.role, "push") == 0)
            went = send_numbered("", i);
        else
            went = receive_numbered("", i);
        if (!went)
            return false;
    }
    return true;
}

static void *run_job(void *unused)
{
    (void)unused;
    if (!play())
        fail("%s", zmq_strerror(zmq_errno()));
    zmq_close(job.socket);
    return NULL;
}

static int type_of(const char *role)
{
    static const struct {
        const char *role;
        int type;
    } types[] = {{"rep", ZMQ_REP},  {"req", ZMQ_REQ},   {"pub", ZMQ_XPUB},
                 {"sub", ZMQ_SUB},  {"push", ZMQ_PUSH}, {"pull", ZMQ_PULL}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].role, role) == 0)
            return types[i].type;
    return -1;
}

/* start ROLE bind tcp | start ROLE bind PATH | start ROLE connect ENDPOINT */
static void start(const char *order, const char *folder, char *answer, size_t answer_size)
{
    static unsigned binds;
    char role[8], how[8], where[256], endpoint[512];
    size_t size = sizeof endpoint;
    int limit = LIMIT_MS;
    if (sscanf(order, "start %7s %7s %255s", role, how, where) != 3 || type_of(role) == -1 ||
        job.started) {
        snprintf(answer, answer_size, "what is: %s", order);
        return;
    }
    strcpy(job.role, role);
    job.error[0] = '\0';
    atomic_store(&job.synced, false);
    job.socket = zmq_socket(ctx, type_of(role));
    zmq_setsockopt(job.socket, ZMQ_RCVTIMEO, &limit, sizeof limit);
    zmq_setsockopt(job.socket, ZMQ_SNDTIMEO, &limit, sizeof limit);
    if (strcmp(role, "sub") == 0)
        zmq_setsockopt(job.socket, ZMQ_SUBSCRIBE, "a.", 2);
    int rc;
    if (strcmp(how, "bind") == 0) {
        if (strcmp(where, "tcp") == 0)
            strcpy(endpoint, "tcp://127.0.0.1:*");
        else
            snprintf(endpoint, sizeof endpoint, "ipc://%s/peer-%u", folder, binds++);
        rc = zmq_bind(job.socket, endpoint);
        if (rc == 0)
            rc = zmq_getsockopt(job.socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
    } else {
        snprintf(endpoint, sizeof endpoint, "%s", where);
        rc = zmq_connect(job.socket, endpoint);
    }
    if (rc == 0)
        rc = -pthread_create(&job.thread, NULL, run_job, NULL);
    if (rc != 0) {
        snprintf(answer, answer_size, "%s: %s", endpoint, zmq_strerror(zmq_errno()));
        zmq_close(job.socket);
        return;
    }
    job.started = true;
    snprintf(answer, answer_size, "ok %s", endpoint);
}

int main(int count, char **arguments)
{
    if (count != 2 || !print_library())
        return 2;
    ctx = zmq_ctx_new();
    void *control = zmq_socket(ctx, ZMQ_REP);
    int limit = LIMIT_MS;
    char endpoint[256];
    size_t size = sizeof endpoint;
    zmq_setsockopt(control, ZMQ_RCVTIMEO, &limit, sizeof limit);
    if (zmq_bind(control, "tcp://127.0.0.1:*") == -1 ||
        zmq_getsockopt(control, ZMQ_LAST_ENDPOINT, endpoint, &size) == -1)
        return 2;
    printf("control %s\n", endpoint);
    fflush(stdout);
    for (bool quit = false; !quit;) {
        char order[512], answer[600] = "ok";
        int length = zmq_recv(control, order, sizeof order - 1, 0);
        if (length == -1) {
            fprintf(stderr, "peer: no order: %s\n", zmq_strerror(zmq_errno()));
            return 1;
        }
        order[length < (int)sizeof order ? length : (int)sizeof order - 1] = '\0';
        if (strcmp(order, "quit") == 0) {
            quit = true;
        } else if (strcmp(order, "synced") == 0) {
            strcpy(answer, atomic_load(&job.synced) ? "yes" : "no");
        } else if (strcmp(order, "result") == 0 && job.started) {
            pthread_join(job.thread, NULL);
            job.started = false;
            if (job.error[0] != '\0')
                snprintf(answer, sizeof answer, "%s: %s", job.role, job.error);
        } else {
            start(order, arguments[1], answer, sizeof answer);
        }
        if (zmq_send(control, answer, strlen(answer), 0) == -1)
            return 1;
    }
    zmq_close(control);
    return zmq_ctx_term(ctx) == 0 ? 0 : 1;
}
