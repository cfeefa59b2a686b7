/* Either library goes away and comes back, and the other finds it again. */
#include "sides.h"

enum { LIVES = 5 };

/* One bit each: who is sifr, over what. */
enum { CASES = 4 };

static const struct library *dialler(int i)
{
    return i & 1 ? &ours : &theirs;
}

static const struct library *listener(int i)
{
    return i & 1 ? &theirs : &ours;
}

static enum transport transport(int i)
{
    return i & 2 ? IPC : TCP;
}

/* Asks until it is answered; what was asked of a peer that went away is lost. */
static void ask(struct end *dealer, struct end *router, int what)
{
    int64_t end = now_ms() + WAIT_MS;
    int got = -1;

    while (got != what) {
        ck_assert_msg(now_ms() < end, "%s does not reach %s", dealer->lib->name, router->lib->name);
        dealer->lib->send(dealer->socket, &what, sizeof what, ZMQ_DONTWAIT);
        if (!end_readable_within(router, 20))
            continue;
        end_recv(router, "dealer", 6, true);
        ck_assert_int_eq(router->lib->recv(router->socket, &got, sizeof got, 0), sizeof got);
    }
    end_send(router, "dealer", 6, ZMQ_SNDMORE);
    end_send(router, &what, sizeof what, 0);
    for (got = -1; got != what;)
        ck_assert_int_eq(dealer->lib->recv(dealer->socket, &got, sizeof got, 0), sizeof got);
}

START_TEST(a_listener_that_comes_back_is_found)
{
    struct end dealer = open_end(dialler(_i), ZMQ_DEALER), router = open_end(listener(_i), ZMQ_ROUTER);
    struct endpoint at = end_bind_fresh(&router, transport(_i));

    end_set_text(&dealer, ZMQ_ROUTING_ID, "dealer");
    end_connect(&dealer, &at);
    for (int life = 0; life < LIVES; life++) {
        ask(&dealer, &router, life);
        close_end(&router);
        router = open_end(listener(_i), ZMQ_ROUTER);
        end_rebind(&router, &at);
    }
    ask(&dealer, &router, LIVES);
    close_end(&dealer);
    close_end(&router);
}
END_TEST

START_TEST(a_dialler_that_comes_back_is_served)
{
    struct end router = open_end(listener(_i), ZMQ_ROUTER);
    struct endpoint at = end_bind_fresh(&router, transport(_i));

    end_set_int(&router, ZMQ_ROUTER_HANDOVER, 1); /* it may be back before its going has been noticed */
    for (int life = 0; life < LIVES; life++) {
        struct end dealer = open_end(dialler(_i), ZMQ_DEALER);

        end_set_text(&dealer, ZMQ_ROUTING_ID, "dealer");
        end_connect(&dealer, &at);
        ask(&dealer, &router, life);
        close_end(&dealer);
    }
    close_end(&router);
}
END_TEST

START_TEST(subscriptions_are_told_again)
{
    struct end sub = open_end(dialler(_i), ZMQ_SUB), xpub = open_end(listener(_i), ZMQ_XPUB);
    struct endpoint at = end_bind_fresh(&xpub, transport(_i));

    end_set_text(&sub, ZMQ_SUBSCRIBE, "a");
    end_connect(&sub, &at);
    for (int life = 0; life < LIVES; life++) {
        eventually(end_readable_within(&sub, 0) || end_readable_within(&xpub, 0)); /* theirs needs a call to dial again */
        end_recv(&xpub, "\1a", 2, false);
        end_send(&xpub, "b", 1, 0);
        end_send(&xpub, "a", 1, 0);
        end_recv(&sub, "a", 1, false);
        close_end(&xpub);
        xpub = open_end(listener(_i), ZMQ_XPUB);
        end_rebind(&xpub, &at);
    }
    close_end(&sub);
    close_end(&xpub);
}
END_TEST

START_TEST(a_publisher_hears_when_a_subscriber_is_gone)
{
    struct end xpub = open_end(listener(_i), ZMQ_XPUB);
    struct endpoint at = end_bind_fresh(&xpub, transport(_i));

    for (int life = 0; life < LIVES; life++) {
        struct end sub = open_end(dialler(_i), ZMQ_SUB);

        end_set_text(&sub, ZMQ_SUBSCRIBE, "a");
        end_connect(&sub, &at);
        end_recv(&xpub, "\1a", 2, false);
        close_end(&sub);
        end_recv(&xpub, "\0a", 2, false);
    }
    close_end(&xpub);
}
END_TEST

START_TEST(messages_queued_for_nobody_arrive_when_somebody_listens)
{
    struct end push = open_end(dialler(_i), ZMQ_PUSH), pull = open_end(listener(_i), ZMQ_PULL);
    struct endpoint at = fresh_endpoint(transport(_i));

    end_connect(&push, &at);
    for (int n = 0; n < 500; n++)
        end_send(&push, &n, sizeof n, 0);
    end_rebind(&pull, &at);
    for (int n = 0; n < 500; n++)
        end_recv(&pull, &n, sizeof n, false);
    close_end(&push);
    close_end(&pull);
}
END_TEST

START_TEST(a_closing_sender_delivers_first)
{
    struct end push = open_end(dialler(_i), ZMQ_PUSH), pull = open_end(listener(_i), ZMQ_PULL);
    struct endpoint at = end_bind_fresh(&pull, transport(_i));
    uint8_t *bytes = malloc(100000);

    ck_assert_ptr_nonnull(bytes);
    end_set_int(&push, ZMQ_LINGER, -1);
    end_connect(&push, &at);
    for (int n = 0; n < 20; n++) {
        fill_bytes(bytes, 100000, (unsigned)n);
        end_send(&push, bytes, 100000, 0);
    }
    ck_assert_int_eq(push.lib->close(push.socket), 0);
    for (int n = 0; n < 20; n++) {
        fill_bytes(bytes, 100000, (unsigned)n);
        end_recv(&pull, bytes, 100000, false);
    }
    ck_assert_int_eq(push.lib->ctx_term(push.ctx), 0);
    free(bytes);
    close_end(&pull);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("coming back");
    TCase *c = new_bare_case(s, "coming back");

    tcase_add_loop_test(c, a_listener_that_comes_back_is_found, 0, CASES);
    tcase_add_loop_test(c, a_dialler_that_comes_back_is_served, 0, CASES);
    tcase_add_loop_test(c, subscriptions_are_told_again, 0, CASES);
    tcase_add_loop_test(c, a_publisher_hears_when_a_subscriber_is_gone, 0, CASES);
    tcase_add_loop_test(c, messages_queued_for_nobody_arrive_when_somebody_listens, 0, CASES);
    tcase_add_loop_test(c, a_closing_sender_delivers_first, 0, CASES);
    return run_suite(s);
}
