/*
 * Encryption and authentication: a server with a key of its own lets in the clients whose
 * certificates lie in a directory, and knows who each of them is. Somebody with another key stays
 * out, and comes in as soon as his certificate is put there. Nothing is restarted for it.
 */
#include "common.h"

#include <sys/stat.h>
#include <unistd.h>

enum { KEY_TEXT = 41 };

struct keys {
    char public[KEY_TEXT], secret[KEY_TEXT];
};

/* What was decided, for whoever watches. The authenticator's thread calls it. */
static void show(const sifr_auth_event_t *e, void *arg)
{
    (void)arg;
    printf("authenticator: %d %s %s, from %s: %s\n", e->status, e->mechanism, e->user, e->address,
           e->reason);
}

/* The public half as keygen writes it: the name becomes a property of this client's messages. */
static void write_certificate(const char *folder, const char *name, const struct keys *keys)
{
    char path[TEXT_MAX];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.key", folder, name);
    f = fopen(path, "w");
    EXPECT(f);
    fprintf(f, "metadata\n    name = \"%s\"\ncurve\n    public-key = \"%s\"\n", name, keys->public);
    EXPECT(fclose(f) == 0);
}

static void remove_certificate(const char *folder, const char *name)
{
    char path[TEXT_MAX];

    snprintf(path, sizeof path, "%s/%s.key", folder, name);
    EXPECT(unlink(path) == 0);
}

/* A client has keys of its own, and the public one of the server, by which it knows that server. */
static sifr_socket_t *client_of(sifr_ctx_t *ctx, const char *server_key, const struct keys *keys)
{
    sifr_socket_t *sock = new_socket(ctx, SIFR_REQ);

    OK(sifr_setsockopt(sock, SIFR_CURVE_SERVERKEY, server_key, KEY_TEXT));
    OK(sifr_setsockopt(sock, SIFR_CURVE_PUBLICKEY, keys->public, KEY_TEXT));
    OK(sifr_setsockopt(sock, SIFR_CURVE_SECRETKEY, keys->secret, KEY_TEXT));
    return sock;
}

/* A request and its answer. Who has asked is certain: nobody else has the secret key. */
static void serve(sifr_socket_t *server, sifr_socket_t *client, const char *name)
{
    sifr_msg_t msg;

    send_text(client, "who am I?", 0);
    OK(sifr_msg_init(&msg));
    OK(sifr_msg_recv(&msg, server, 0));
    EXPECT(strcmp(sifr_msg_gets(&msg, "name"), name) == 0);
    printf("server: asked by %s, %s, over an encrypted connection\n", sifr_msg_gets(&msg, "name"),
           sifr_msg_gets(&msg, "User-Id"));
    OK(sifr_msg_close(&msg));
    send_text(server, name, 0);
    recv_exactly(client, name);
}

/* A socket's monitor is told that a server has refused it. */
static void expect_refusal(sifr_ctx_t *ctx, sifr_socket_t *sock, const char *endpoint)
{
    sifr_socket_t *monitor;
    unsigned char event[6];
    char where[TEXT_MAX];

    OK(sifr_socket_monitor(sock, "inproc://refusals", SIFR_EVENT_HANDSHAKE_FAILED_AUTH));
    monitor = connected(ctx, SIFR_PAIR, "inproc://refusals");
    OK(sifr_connect(sock, endpoint));
    EXPECT(OK(sifr_recv(monitor, event, sizeof event, 0)) == sizeof event);
    EXPECT(recv_text(monitor, where));
    printf("stranger: refused by %s\n", where);
    OK(sifr_close(monitor));
}

int main(void)
{
    sifr_ctx_t *ctx = new_context();
    char folder[] = "/tmp/sifr-ironhouse-XXXXXX", endpoint[TEXT_MAX];
    size_t room = sizeof endpoint;
    struct keys own, alice, bob;
    sifr_auth_t *auth;
    sifr_socket_t *server, *client;

    if (!sifr_has("curve")) {
        printf("this library was built without libsodium\n");
        return 0;
    }
    OK(sifr_curve_keypair(own.public, own.secret));
    OK(sifr_curve_keypair(alice.public, alice.secret));
    OK(sifr_curve_keypair(bob.public, bob.secret));
    EXPECT(mkdtemp(folder));
    write_certificate(folder, "alice", &alice);

    /* Before the server binds, so that nobody finds it open. */
    auth = sifr_auth_new(ctx);
    EXPECT(auth);
    OK(sifr_auth_log(auth, show, NULL));
    OK(sifr_auth_allow(auth, "house", "127.0.0.0/8"));
    OK(sifr_auth_curve(auth, "house", folder));

    server = new_socket(ctx, SIFR_REP);
    set_int(server, SIFR_CURVE_SERVER, 1);
    OK(sifr_setsockopt(server, SIFR_CURVE_SECRETKEY, own.secret, KEY_TEXT));
    OK(sifr_setsockopt(server, SIFR_ZAP_DOMAIN, "house", 5));
    OK(sifr_bind(server, "tcp://127.0.0.1:*"));
    OK(sifr_getsockopt(server, SIFR_LAST_ENDPOINT, endpoint, &room));

    client = client_of(ctx, own.public, &alice);
    OK(sifr_connect(client, endpoint));
    serve(server, client, "alice");
    OK(sifr_close(client));

    client = client_of(ctx, own.public, &bob);
    expect_refusal(ctx, client, endpoint);
    OK(sifr_close(client));
    write_certificate(folder, "bob", &bob);
    OK(sifr_auth_reload(auth)); /* it would notice by itself, too, in a moment */
    client = client_of(ctx, own.public, &bob);
    OK(sifr_connect(client, endpoint));
    serve(server, client, "bob");
    OK(sifr_close(client));

    OK(sifr_close(server));
    OK(sifr_auth_destroy(&auth));
    OK(sifr_ctx_term(ctx));
    remove_certificate(folder, "alice");
    remove_certificate(folder, "bob");
    EXPECT(rmdir(folder) == 0);
    return 0;
}
