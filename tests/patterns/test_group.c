/* Subscribers that hold the same topics: who gets what must not depend on how they are grouped. */
#include "fake.h"

#include "patterns/fanout.c"
#include "patterns/group.c"
#include "patterns/pub.c"
#include "patterns/trie.c"
#include "patterns/xpub.c"

#define SUB(topic) "!\x09SUBSCRIBE" topic
#define CANCEL(topic) "!\x06" "CANCEL" topic

static void all_subscribe(int peers, const char *request)
{
    for (int i = 0; i < peers; i++)
        arrive(i, request);
}

static bool in_crowd(int i)
{
    return fakes[i].in_crowd;
}

START_TEST(three_that_hold_the_same_are_a_crowd)
{
    open_socket(&sf_pattern_pub);
    for (int i = 0; i < 4; i++)
        attach(i);
    all_subscribe(2, SUB("a"));
    ck_assert_int_eq(send_text("a1"), 0);
    ck_assert_int_eq(fake_crowds, 0);
    arrive(2, SUB("a"));
    ck_assert_int_eq(send_text("a2|more"), 0);
    ck_assert_int_eq(fake_crowds, 1);
    arrive(3, SUB("a"));
    ck_assert_int_eq(send_text("a3"), 0);
    ck_assert_int_eq(send_text("b"), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert(in_crowd(i));
        if (i < 2)
            ck_sent(i, "a1");
        if (i < 3)
            ck_sent(i, "a2|more");
        ck_sent(i, "a3");
        ck_sent(i, "nothing");
    }
    for (int i = 0; i < 4; i++)
        arrive(i, CANCEL("a"));
    ck_assert_int_eq(send_text("a4"), 0);
    ck_assert_int_eq(fake_crowds, 0);
    ck_sent(0, "nothing");
    close_socket();
}
END_TEST

START_TEST(an_inbox_of_its_own_does_not_keep_a_peer_apart)
{
    open_socket(&sf_pattern_pub);
    for (int i = 0; i < 3; i++) {
        char own[] = SUB("inbox/0");

        own[sizeof own - 2] = (char)('0' + i);
        attach(i);
        arrive(i, SUB("news"));
        arrive(i, own);
    }
    ck_assert_int_eq(send_text("news"), 0);
    ck_assert_int_eq(send_text("inbox/1"), 0);
    ck_assert_int_eq(fake_crowds, 1);
    for (int i = 0; i < 3; i++) {
        ck_assert(in_crowd(i));
        ck_sent(i, "news");
        ck_sent(i, i == 1 ? "inbox/1" : "nothing");
    }
    close_socket();
}
END_TEST

START_TEST(a_message_that_matches_a_crowd_and_a_peer_comes_once)
{
    open_socket(&sf_pattern_pub);
    for (int i = 0; i < 3; i++)
        attach(i);
    all_subscribe(3, SUB("ab"));
    arrive(1, SUB("a"));
    arrive(2, SUB("abc"));
    ck_assert_int_eq(send_text("abcd"), 0);
    ck_assert_int_eq(send_text("ac"), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(in_crowd(i));
        ck_sent(i, "abcd");
        ck_sent(i, i == 1 ? "ac" : "nothing");
    }
    close_socket();
}
END_TEST

START_TEST(who_cancels_midway_gets_the_rest_of_the_message)
{
    open_socket(&sf_pattern_pub);
    for (int i = 0; i < 4; i++)
        attach(i);
    all_subscribe(4, SUB("a"));
    ck_assert_int_eq(send_frame("a", true), 0);
    arrive(0, CANCEL("a"));
    arrive(1, CANCEL("a")), arrive(1, SUB("a"));
    end(2);
    ck_assert_int_eq(send_frame("b", true), 0);
    arrive(3, CANCEL("a")); /* nobody is left in the crowd */
    ck_assert_int_eq(send_frame("c", false), 0);
    ck_assert_int_eq(send_text("a2"), 0);
    ck_sent(0, "a|b|c");
    ck_sent(0, "nothing");
    ck_sent(1, "a|b|c");
    ck_sent(1, "a2");
    ck_sent(2, "nothing");
    ck_sent(3, "a|b|c");
    ck_sent(3, "nothing");
    close_socket();
}
END_TEST

START_TEST(a_full_member_misses_and_is_counted)
{
    open_socket(&sf_pattern_pub);
    for (int i = 0; i < 3; i++)
        attach(i);
    all_subscribe(3, SUB("a"));
    fakes[1].room = 1;
    for (int n = 0; n < 3; n++)
        ck_assert_int_eq(send_text("a|b"), 0);
    ck_assert_uint_eq(sock.drops[SF_DROP_NO_ROOM], 2);
    ck_sent(1, "a|b");
    ck_sent(1, "nothing");
    fakes[2].broken = true;
    ck_assert_int_eq(send_text("a"), 0);
    ck_assert_uint_eq(sock.drops[SF_DROP_NO_ROOM], 2);
    ck_assert_uint_eq(sock.drops[SF_DROP_NO_MEMORY], 1);
    ck_sent(1, "a");
    close_socket();
}
END_TEST

START_TEST(nodrop_looks_at_the_members_too)
{
    open_socket(&sf_pattern_xpub);
    ck_assert_int_eq(set_int(SIFR_XPUB_NODROP, 1), 0);
    for (int i = 0; i < 3; i++)
        attach(i);
    all_subscribe(3, SUB("a"));
    fakes[2].room = 1;
    ck_assert_int_eq(send_text("a"), 0);
    ck_assert_int_eq(send_text("a"), -EAGAIN);
    ck_sent(2, "a");
    ck_assert_int_eq(send_text("a"), 0);
    ck_sent(0, "a");
    ck_sent(0, "a");
    ck_sent(0, "nothing");
    close_socket();
}
END_TEST

START_TEST(whom_a_crowd_does_not_take_is_served_alone)
{
    open_socket(&sf_pattern_pub);
    for (int i = 0; i < 4; i++)
        attach(i);
    fakes[1].loner = true;
    all_subscribe(4, SUB("a"));
    ck_assert_int_eq(send_text("a"), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(in_crowd(i), i != 1);
        ck_sent(i, "a");
        ck_sent(i, "nothing");
    }
    close_socket();
}
END_TEST

START_TEST(inverted_and_last_value_look_at_members_one_by_one)
{
    open_socket(&sf_pattern_xpub);
    for (int i = 0; i < 4; i++)
        attach(i);
    all_subscribe(3, SUB("a"));
    ck_assert_int_eq(send_text("a"), 0);
    ck_assert(in_crowd(0));
    ck_assert_int_eq(set_int(SIFR_INVERT_MATCHING, 1), 0);
    ck_assert_int_eq(send_text("a1|x"), 0);
    ck_assert_int_eq(send_text("b1|x"), 0);
    for (int i = 0; i < 3; i++) {
        ck_sent(i, "a");
        ck_sent(i, "b1|x");
        ck_sent(i, "nothing");
    }
    ck_sent(3, "a1|x");
    ck_sent(3, "b1|x");
    ck_assert_int_eq(set_int(SIFR_INVERT_MATCHING, 0), 0);
    ck_assert_int_eq(set_int(SIFR_XPUB_MANUAL_LAST_VALUE, 1), 0);
    ck_recv("1a");
    arrive(1, SUB("q"));
    ck_recv("1q");
    ck_assert_int_eq(send_text("a2"), 0);
    ck_assert_int_eq(send_text("a3"), 0);
    ck_sent(0, "a3");
    ck_sent(1, "a2");
    ck_sent(1, "a3");
    ck_sent(2, "a3");
    close_socket();
}
END_TEST

START_TEST(who_holds_very_many_topics_is_served_alone)
{
    open_socket(&sf_pattern_pub);
    for (int i = 0; i < 3; i++)
        attach(i);
    for (int n = 0; n < LINKS_MAX + 10; n++)
        for (int i = 0; i < 3; i++) {
            char text[64];
            int size = snprintf(text, sizeof text, SUB("%d.") "%c", n, 0);

            arrive_bytes(i, text, (size_t)size - 1);
            if (n % 50 == 0)
                ck_assert_int_eq(send_text("none"), 0);
        }
    ck_assert_int_eq(send_text("12."), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(!in_crowd(i));
        ck_sent(i, "12.");
        ck_sent(i, "nothing");
    }
    ck_assert_int_eq(fake_crowds, 0);
    close_socket();
}
END_TEST

/* ---- All at once, against a model ---- */

enum { TOPICS = 7, STEPS = 6000 };

static const char *const topics[TOPICS] = {"", "a", "ab", "abc", "b", "ba", "c"};
static const char *const bodies[] = {"", "a", "abx", "abcd", "b", "bax", "c", "d", "abb"};

static struct model {
    bool there, holds[TOPICS], takes; /* takes: the message under way */
    int got;                          /* messages in its queue */
} model[FAKE_PEERS];

static bool matches(int i, const char *text)
{
    for (int t = 0; t < TOPICS; t++)
        if (model[i].holds[t] && strncmp(text, topics[t], strlen(topics[t])) == 0)
            return true;
    return false;
}

static void request(int i, int t)
{
    char text[32];
    int n;

    model[i].holds[t] = !model[i].holds[t];
    n = snprintf(text, sizeof text, "%s%s", model[i].holds[t] ? SUB("") : CANCEL(""), topics[t]);
    arrive_bytes(i, text, (size_t)n);
}

/* A message of `frames` frames, during which things happen. */
static void send_one(const char *text, int frames, unsigned dice)
{
    for (int f = 0; f < frames; f++) {
        if (f == 0)
            for (int i = 0; i < FAKE_PEERS; i++)
                model[i].takes = model[i].there && matches(i, text) && model[i].got < (int)fakes[i].room;
        ck_assert_int_eq(send_frame(f ? "more" : text, f + 1 < frames), 0);
        if (f + 1 < frames) {
            int i = (int)(dice % FAKE_PEERS);

            dice /= FAKE_PEERS;
            if (!model[i].there)
                continue;
            if (dice % 5 == 0) {
                end(i);
                detach(i);
                memset(&model[i], 0, sizeof model[i]);
            } else {
                request(i, (int)(dice / 5 % TOPICS));
            }
        }
    }
    for (int i = 0; i < FAKE_PEERS; i++)
        model[i].got += model[i].takes;
}

static void check_newest(int i, const char *text, int frames)
{
    struct fake_queue *q = &fakes[i].out;

    ck_assert_uint_eq(fake_count(q), (size_t)model[i].got);
    ck_assert_uint_eq(q->end, q->whole);
    if (!model[i].takes)
        return;
    for (int f = 0; f < frames; f++) {
        struct sf_msg *m = &q->frames[q->end - (size_t)frames + (size_t)f];
        const char *want = f ? "more" : text;

        ck_assert_uint_eq(sf_msg_size(m), strlen(want));
        ck_assert_int_eq(memcmp(sf_msg_data(m), want, strlen(want)), 0);
        ck_assert_int_eq(sf_msg_more(m), f + 1 < frames);
    }
}

START_TEST(whatever_happens_each_gets_what_it_asked_for)
{
    unsigned seed = (unsigned)_i + 1;
    int crowds = 0;

    open_socket(_i % 2 ? &sf_pattern_pub : &sf_pattern_xpub);
    memset(model, 0, sizeof model);
    for (int step = 0; step < STEPS; step++) {
        unsigned dice;
        int i;

        seed = seed * 1103515245 + 12345;
        dice = seed >> 8;
        i = (int)(dice % FAKE_PEERS);
        dice /= FAKE_PEERS;
        if (!model[i].there) {
            attach(i);
            model[i].there = true;
            fakes[i].room = dice % 4 ? 60 : 5;
            fakes[i].loner = dice % 16 == 5;
            if (dice % 2)
                request(i, 1);
        } else if (dice % 8 == 0) {
            request(i, (int)(dice / 8 % TOPICS));
        } else if (dice % 8 == 1 || fakes[i].out.end > FAKE_FRAMES - 20) {
            while (fakes[i].out.first < fakes[i].out.end)
                sf_msg_close(&fakes[i].out.frames[fakes[i].out.first++]);
            fakes[i].out.first = fakes[i].out.whole = fakes[i].out.end = 0;
            model[i].got = 0;
        } else {
            const char *text = bodies[dice / 8 % (sizeof bodies / sizeof *bodies)];
            int frames = 1 + (int)(dice / 64 % 3);

            send_one(text, frames, dice / 256);
            for (int k = 0; k < FAKE_PEERS; k++)
                if (model[k].there)
                    check_newest(k, text, frames);
        }
        crowds += fake_crowds;
    }
    ck_assert_int_gt(crowds, STEPS / 10); /* or it proves little */
    close_socket();
    ck_assert_int_eq(fake_crowds, 0);
}
END_TEST

START_TEST(without_memory_for_a_crowd_peers_are_served_alone)
{
    for (int n = 1; n < 30; n++) {
        open_socket(&sf_pattern_pub);
        for (int i = 0; i < 4; i++)
            attach(i);
        all_subscribe(4, SUB("a"));
        sf_alloc_fail(n, 1);
        sf_groups_settle(&((struct sf_xpub *)sock.state)->groups);
        sf_alloc_fail(0, 0);
        ck_assert_int_eq(send_text("a"), 0);
        for (int i = 0; i < 4; i++) {
            ck_sent(i, "a");
            ck_sent(i, "nothing");
        }
        close_socket();
    }
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, three_that_hold_the_same_are_a_crowd);
    tcase_add_test(tcase, an_inbox_of_its_own_does_not_keep_a_peer_apart);
    tcase_add_test(tcase, a_message_that_matches_a_crowd_and_a_peer_comes_once);
    tcase_add_test(tcase, who_cancels_midway_gets_the_rest_of_the_message);
    tcase_add_test(tcase, a_full_member_misses_and_is_counted);
    tcase_add_test(tcase, nodrop_looks_at_the_members_too);
    tcase_add_test(tcase, whom_a_crowd_does_not_take_is_served_alone);
    tcase_add_test(tcase, inverted_and_last_value_look_at_members_one_by_one);
    tcase_add_test(tcase, who_holds_very_many_topics_is_served_alone);
    tcase_add_loop_test(tcase, whatever_happens_each_gets_what_it_asked_for, 0, 8);
    tcase_add_test(tcase, without_memory_for_a_crowd_peers_are_served_alone);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return run_suite("groups", add);
}
