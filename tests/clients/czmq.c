/*
 * czmq: czmq CONTROL FOLDER. Each job runs in an actor of its own and waits with zpoller.
 */
#include <czmq.h>

enum { MESSAGES = 200, LIMIT_MS = 60000 };

/* A failure ends the process: it is the client that is tested, not its own tidiness. */
#define REQUIRE(holds)                                                                             \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "line %d: not %s (%s)\n", __LINE__, #holds, zmq_strerror(zmq_errno())); \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static zsock_t *control;
static const char *folder;
static byte bytes[256 * 400];

static void print_library(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096], last[4096] = "";
    REQUIRE(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        char *path = strchr(line, '/');
        if (path == NULL || strstr(path, "/libzmq.so") == NULL || strcmp(path, last) == 0)
            continue;
        printf("library %s", path);
        strcpy(last, path);
    }
    fclose(maps);
}

static zmsg_t *numbered(const char *prefix, unsigned number)
{
    size_t size = number == MESSAGES / 2 ? 100000 : number * number * 37 % 3000;
    zmsg_t *message = zmsg_new();
    zmsg_addstrf(message, "%s%u", prefix, number);
    zmsg_addmem(message, bytes + number % 256, size);
    return message;
}

static void send_numbered(zsock_t *socket, const char *prefix, unsigned number)
{
    zmsg_t *message = numbered(prefix, number);
    REQUIRE(zmsg_send(&message, socket) == 0);
}

static zmsg_t *receive(zsock_t *socket)
{
    zpoller_t *poller = zpoller_new(socket, NULL);
    REQUIRE(zpoller_wait(poller, LIMIT_MS) == socket);
    zpoller_destroy(&poller);
    zmsg_t *message = zmsg_recv(socket);
    REQUIRE(message != NULL);
    return message;
}

static void receive_numbered(zsock_t *socket, const char *prefix, unsigned number)
{
    zmsg_t *message = receive(socket);
    zmsg_t *expected = numbered(prefix, number);
    REQUIRE(zmsg_size(message) == 2);
    REQUIRE(zmsg_eq(message, expected));
    zmsg_destroy(&message);
    zmsg_destroy(&expected);
}

static char *ask(const char *order)
{
    REQUIRE(zstr_send(control, order) == 0);
    char *answer = zstr_recv(control);
    REQUIRE(answer != NULL);
    return answer;
}

/* Asks the peer, which must do it; the endpoint it has goes to the caller. */
static char *order(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = zsys_vprintf(format, arguments);
    va_end(arguments);
    char *answer = ask(text);
    if (strncmp(answer, "ok", 2) != 0) {
        fprintf(stderr, "the peer, asked to %s: %s\n", text, answer);
        exit(1);
    }
    zstr_free(&text);
    memmove(answer, answer + 2 + (answer[2] == ' '), strlen(answer + 2 + (answer[2] == ' ')) + 1);
    return answer;
}

static void order_result(void)
{
    char *answer = order("result");
    zstr_free(&answer);
}

static void reply(zsock_t *socket)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        receive_numbered(socket, "", i);
        send_numbered(socket, "re ", i);
    }
}

static void request(zsock_t *socket)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        send_numbered(socket, "", i);
        receive_numbered(socket, "re ", i);
    }
}

static void push(zsock_t *socket)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        send_numbered(socket, "", i);
}

static void pull(zsock_t *socket)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        receive_numbered(socket, "", i);
}

static void publish(zsock_t *socket)
{
    for (bool synced = false; !synced;) {
        REQUIRE(zstr_sendx(socket, "a.sync", "", NULL) == 0);
        char *answer = ask("synced");
        synced = streq(answer, "yes");
        zstr_free(&answer);
    }
    for (unsigned i = 0; i < MESSAGES; i++)
        send_numbered(socket, i % 2 ? "b." : "a.", i);
    REQUIRE(zstr_sendx(socket, "a.end", "", NULL) == 0);
}

static void subscribed(zsock_t *socket)
{
    for (unsigned i = 0; i < MESSAGES; i += 2)
        receive_numbered(socket, "a.", i);
    zmsg_t *end = receive(socket);
    REQUIRE(zframe_streq(zmsg_first(end), "a.end"));
    zmsg_destroy(&end);
}

struct job {
    int mine;
    const char *theirs;
    void (*play)(zsock_t *socket);
    const char *transport;
    bool binds;
};

static void run_job(zsock_t *pipe, void *argument)
{
    static unsigned binds;
    const struct job *job = argument;
    zsock_signal(pipe, 0);
    zsock_t *socket = zsock_new(job->mine);
    zsock_set_sndtimeo(socket, LIMIT_MS);
    if (job->mine == ZMQ_SUB)
        zsock_set_subscribe(socket, "a.");
    char *endpoint;
    if (job->binds) {
        if (streq(job->transport, "tcp"))
            REQUIRE(zsock_bind(socket, "tcp://127.0.0.1:*") > 0);
        else
            REQUIRE(zsock_bind(socket, "ipc://%s/client-%u", folder, binds++) == 0);
        endpoint = order("start %s connect %s", job->theirs, zsock_endpoint(socket));
    } else {
        endpoint = order("start %s bind %s", job->theirs, job->transport);
        REQUIRE(zsock_connect(socket, "%s", endpoint) == 0);
    }
    zstr_free(&endpoint);
    job->play(socket);
    order_result();
    zsock_destroy(&socket);
    zsock_signal(pipe, 7);
}

/* The peer's requests through czmq's proxy actor to a worker, paused and resumed before. */
static void proxied(void)
{
    zactor_t *proxy = zactor_new(zproxy, NULL);
    REQUIRE(zstr_sendx(proxy, "FRONTEND", "ROUTER", "tcp://127.0.0.1:*", NULL) == 0);
    REQUIRE(zsock_wait(proxy) == 0);
    zactor_destroy(&proxy);

    proxy = zactor_new(zproxy, NULL);
    char *front = zsys_sprintf("ipc://%s/front", folder);
    REQUIRE(zstr_sendx(proxy, "FRONTEND", "ROUTER", front, NULL) == 0);
    REQUIRE(zsock_wait(proxy) == 0);
    REQUIRE(zstr_sendx(proxy, "BACKEND", "DEALER", "inproc://back", NULL) == 0);
    REQUIRE(zsock_wait(proxy) == 0);
    zsock_t *captured = zsock_new_pull("inproc://captured");
    REQUIRE(zstr_sendx(proxy, "CAPTURE", "inproc://captured", NULL) == 0);
    REQUIRE(zsock_wait(proxy) == 0);
    REQUIRE(zstr_sendx(proxy, "PAUSE", NULL) == 0);
    REQUIRE(zsock_wait(proxy) == 0);
    REQUIRE(zstr_sendx(proxy, "RESUME", NULL) == 0);
    REQUIRE(zsock_wait(proxy) == 0);
    zsock_t *worker = zsock_new_rep(">inproc://back");
    char *endpoint = order("start req connect %s", front);
    for (unsigned i = 0; i < MESSAGES; i++) {
        receive_numbered(worker, "", i);
        send_numbered(worker, "re ", i);
        for (int copies = 0; copies < (i == 0 ? 1 : 2); copies++) {
            zmsg_t *copy = receive(captured);
            REQUIRE(zmsg_size(copy) == 4);
            zmsg_destroy(&copy);
        }
    }
    order_result();
    zstr_free(&endpoint);
    zstr_free(&front);
    zsock_destroy(&worker);
    zactor_destroy(&proxy);
    zsock_destroy(&captured);
    puts("did zproxy");
}

static void monitored(void)
{
    zsock_t *socket = zsock_new(ZMQ_PULL);
    zactor_t *monitor = zactor_new(zmonitor, socket);
    REQUIRE(zstr_sendx(monitor, "LISTEN", "LISTENING", "ACCEPTED", "DISCONNECTED", NULL) == 0);
    REQUIRE(zstr_sendx(monitor, "START", NULL) == 0);
    REQUIRE(zsock_wait(monitor) == 0);
    REQUIRE(zsock_bind(socket, "tcp://127.0.0.1:*") > 0);
    char *endpoint = order("start push connect %s", zsock_endpoint(socket));
    pull(socket);
    order_result();
    zstr_free(&endpoint);
    const char *expected[] = {"LISTENING", "ACCEPTED", "DISCONNECTED"};
    for (int i = 0; i < 3; i++) {
        zpoller_t *poller = zpoller_new(monitor, NULL);
        REQUIRE(zpoller_wait(poller, LIMIT_MS) == monitor);
        zpoller_destroy(&poller);
        zmsg_t *event = zmsg_recv(monitor);
        char *name = zmsg_popstr(event);
        REQUIRE(streq(name, expected[i]));
        zstr_free(&name);
        zmsg_destroy(&event);
    }
    zactor_destroy(&monitor);
    zsock_destroy(&socket);
    puts("did zmonitor");
}

static int count_tick(zloop_t *loop, int timer, void *argument)
{
    (void)loop;
    (void)timer;
    zsock_t *sender = argument;
    return zstr_send(sender, "tick");
}

static int count_message(zloop_t *loop, zsock_t *reader, void *argument)
{
    (void)loop;
    unsigned *count = argument;
    char *text = zstr_recv(reader);
    REQUIRE(streq(text, "tick"));
    zstr_free(&text);
    return ++*count == 10 ? -1 : 0;
}

/* A loop with a timer that sends and a reader that counts. */
static void looped(void)
{
    zsock_t *reader = zsock_new(ZMQ_PULL);
    REQUIRE(zsock_bind(reader, "tcp://127.0.0.1:*") > 0);
    zsock_t *sender = zsock_new(ZMQ_PUSH);
    REQUIRE(zsock_connect(sender, "%s", zsock_endpoint(reader)) == 0);
    zloop_t *loop = zloop_new();
    unsigned count = 0;
    REQUIRE(zloop_timer(loop, 5, 0, count_tick, sender) > 0);
    REQUIRE(zloop_reader(loop, reader, count_message, &count) == 0);
    REQUIRE(zloop_start(loop) == -1);
    REQUIRE(count == 10);
    zloop_destroy(&loop);
    zsock_destroy(&sender);
    zsock_destroy(&reader);
    puts("did zloop");
}

/* An empty poll ends in time; one of many sockets is found. */
static void polled(void)
{
    zsock_t *sockets[20];
    zpoller_t *poller = zpoller_new(NULL);
    for (int i = 0; i < 20; i++) {
        sockets[i] = zsock_new(ZMQ_PULL);
        REQUIRE(zsock_bind(sockets[i], "tcp://127.0.0.1:*") > 0);
        REQUIRE(zpoller_add(poller, sockets[i]) == 0);
    }
    int64_t begin = zclock_mono();
    REQUIRE(zpoller_wait(poller, 50) == NULL);
    REQUIRE(zpoller_expired(poller));
    REQUIRE(!zpoller_terminated(poller));
    REQUIRE(zclock_mono() - begin >= 45);
    zsock_t *sender = zsock_new(ZMQ_PUSH);
    REQUIRE(zsock_connect(sender, "%s", zsock_endpoint(sockets[11])) == 0);
    REQUIRE(zstr_send(sender, "x") == 0);
    REQUIRE(zpoller_wait(poller, LIMIT_MS) == sockets[11]);
    zpoller_destroy(&poller);
    zsock_destroy(&sender);
    for (int i = 0; i < 20; i++)
        zsock_destroy(&sockets[i]);
    /* What is no socket: czmq asks the library about any pointer. */
    zlist_t *list = zlist_new();
    REQUIRE(!zsock_is(list));
    REQUIRE(zsock_resolve(control) != NULL);
    zlist_destroy(&list);
    puts("did zpoller");
}

static void interrupt(zsock_t *pipe, void *argument)
{
    pthread_t *target = argument;
    zsock_signal(pipe, 0);
    /* No zpoller: once a signal came, it no longer waits. */
    zmq_pollitem_t item = {zsock_resolve(pipe), 0, ZMQ_POLLIN, 0};
    while (zmq_poll(&item, 1, 20) == 0)
        pthread_kill(*target, SIGINT);
    zstr_send(pipe, "stopped");
}

/* czmq's handler of SIGINT only sets a flag: recv and zpoller end by EINTR. */
static void interrupted(void)
{
    zsock_t *socket = zsock_new(ZMQ_PULL);
    REQUIRE(zsock_bind(socket, "tcp://127.0.0.1:*") > 0);
    zpoller_t *poller = zpoller_new(socket, NULL);
    pthread_t self = pthread_self();
    zactor_t *sender = zactor_new(interrupt, &self);
    REQUIRE(zstr_recv(socket) == NULL);
    REQUIRE(zmq_errno() == EINTR);
    REQUIRE(zsys_interrupted);
    zsys_interrupted = 0;
    REQUIRE(zpoller_wait(poller, -1) == NULL);
    REQUIRE(zpoller_terminated(poller));
    while (zstr_send(sender, "stop") != 0)
        REQUIRE(zmq_errno() == EINTR);
    char *stopped;
    while ((stopped = zstr_recv(sender)) == NULL)
        REQUIRE(zmq_errno() == EINTR);
    zstr_free(&stopped);
    zactor_destroy(&sender);
    zsys_interrupted = 0;
    zpoller_destroy(&poller);
    zsock_destroy(&socket);
    puts("did interrupts");
}

int main(int count, char **arguments)
{
    REQUIRE(count == 3);
    folder = arguments[2];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (byte)i;
    printf("client czmq %d.%d.%d\n", CZMQ_VERSION_MAJOR, CZMQ_VERSION_MINOR, CZMQ_VERSION_PATCH);
    control = zsock_new_req(arguments[1]);
    REQUIRE(control != NULL);
    zsock_set_rcvtimeo(control, LIMIT_MS);
    zsock_set_sndtimeo(control, LIMIT_MS);
    print_library();

    static const struct {
        int mine;
        const char *theirs;
        void (*play)(zsock_t *socket);
    } roles[] = {{ZMQ_REQ, "rep", request},   {ZMQ_REP, "req", reply},  {ZMQ_PUSH, "pull", push},
                 {ZMQ_PULL, "push", pull},    {ZMQ_PUB, "sub", publish}, {ZMQ_SUB, "pub", subscribed}};
    unsigned jobs = 0;
    for (int ipc = 0; ipc < 2; ipc++)
        for (int binds = 0; binds < 2; binds++)
            for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
                struct job job = {roles[i].mine, roles[i].theirs, roles[i].play,
                                  ipc ? "ipc" : "tcp", binds};
                zactor_t *actor = zactor_new(run_job, &job);
                REQUIRE(zsock_wait(actor) == 7);
                zactor_destroy(&actor);
                jobs++;
            }
    proxied();
    monitored();
    looped();
    polled();
    interrupted();
    char *answer = order("quit");
    zstr_free(&answer);
    zsock_destroy(&control);
    zsys_shutdown();
    printf("jobs %u\ndone\n", jobs);
    return 0;
}
