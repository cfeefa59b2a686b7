/* Reads certificates: lines "name = value", indented below the name of their section. */
#include "security/cert.h"
#include "base/alloc.h"

#include <errno.h>
#include <sifr.h>
#include <stdbool.h>
#include <string.h>

enum { NAME_MAX_SIZE = 255, KEY_TEXT = 40, PROPERTY_HEAD = 5 };

struct slice {
    const char *at;
    size_t size;
};

/* One line, and where it stands. */
struct line {
    size_t indent;
    struct slice name;
    struct slice value;
    bool has_value;
};

/* What has been read of the file so far. */
struct reader {
    struct sf_cert *cert;
    struct slice section; /* the name without indentation above this line */
    size_t indent;        /* of the first line in it; deeper ones belong to others. 0: none yet */
    bool has_key;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice s)
{
    while (s.size && is_blank(s.at[0])) {
        s.at++;
        s.size--;
    }
    while (s.size && is_blank(s.at[s.size - 1]))
        s.size--;
    return s;
}

static bool is(struct slice s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.at, text, s.size) == 0;
}

/* Keys have '#' in them, and czmq does not escape quotes: the last of the line ends the value. */
static struct slice unquote(struct slice s)
{
    const char *last = NULL, *comment;

    if (s.size && (s.at[0] == '"' || s.at[0] == '\''))
        last = memrchr(s.at + 1, s.at[0], s.size - 1);
    if (last)
        return (struct slice){s.at + 1, (size_t)(last - s.at) - 1};
    comment = s.size ? memchr(s.at, '#', s.size) : NULL;
    if (comment)
        s.size = (size_t)(comment - s.at);
    return trim(s);
}

static struct line line_of(struct slice text)
{
    struct line l = {0};
    const char *equals;

    while (l.indent < text.size && is_blank(text.at[l.indent]))
        l.indent++;
    text = trim(text);
    if (text.size == 0 || text.at[0] == '#')
        return l;
    equals = memchr(text.at, '=', text.size);
    if (!equals) {
        l.name = unquote(text);
        return l;
    }
    l.name = trim((struct slice){text.at, (size_t)(equals - text.at)});
    l.value = unquote(trim((struct slice){equals + 1, (size_t)(text.at + text.size - equals) - 1}));
    l.has_value = true;
    return l;
}

/* 0 or -EINVAL. */
static int take_key(struct reader *r, struct slice value)
{
    static const uint8_t none[SF_CERT_KEY];
    char text[KEY_TEXT + 1];

    if (r->has_key || value.size != KEY_TEXT)
        return -EINVAL;
    memcpy(text, value.at, KEY_TEXT);
    text[KEY_TEXT] = 0;
    if (strlen(text) != KEY_TEXT || !sifr_z85_decode(r->cert->key, text))
        return -EINVAL;
    r->has_key = true;
    return memcmp(r->cert->key, none, sizeof none) == 0 ? -EINVAL : 0;
}

/* 0 or -ENOMEM. What no property can be called is passed over. */
static int take_property(struct reader *r, const struct line *l)
{
    struct sf_cert *c = r->cert;
    size_t size = l->value.size, n = c->metadata_size;
    uint8_t *to;

    if (l->name.size == 0 || l->name.size > NAME_MAX_SIZE)
        return 0;
    to = sf_realloc(c->metadata, n + PROPERTY_HEAD + l->name.size + size);
    if (!to)
        return -ENOMEM;
    c->metadata = to;
    to += n;
    *to++ = (uint8_t)l->name.size;
    memcpy(to, l->name.at, l->name.size);
    to += l->name.size;
    for (int shift = 24; shift >= 0; shift -= 8)
        *to++ = (uint8_t)(size >> shift);
    if (size)
        memcpy(to, l->value.at, size);
    c->metadata_size = n + PROPERTY_HEAD + l->name.size + size;
    return 0;
}

static int take_line(struct reader *r, const struct line *l)
{
    if (l->name.size == 0)
        return 0;
    if (l->indent == 0) {
        r->section = l->has_value ? (struct slice){0} : l->name;
        r->indent = 0;
        return 0;
    }
    if (r->indent == 0)
        r->indent = l->indent;
    if (l->indent != r->indent || !l->has_value)
        return 0;
    if (is(r->section, "curve") && is(l->name, "public-key"))
        return take_key(r, l->value);
    return is(r->section, "metadata") ? take_property(r, l) : 0;
}

int sf_cert_parse(struct sf_cert *out, const char *text, size_t size)
{
    struct sf_cert c = {0};
    struct reader r = {.cert = &c};
    int err = 0;

    if (size && memchr(text, 0, size))
        return -EINVAL;
    while (size && err == 0) {
        const char *end = memchr(text, '\n', size);
        size_t n = end ? (size_t)(end - text) : size;
        struct line l = line_of((struct slice){text, n});

        err = take_line(&r, &l);
        n += end != NULL;
        text += n;
        size -= n;
    }
    if (err == 0 && !r.has_key)
        err = -EINVAL;
    if (err) {
        sf_cert_fini(&c);
        return err;
    }
    *out = c;
    return 0;
}

void sf_cert_fini(struct sf_cert *c)
{
    sf_free(c->metadata);
    c->metadata = NULL;
    c->metadata_size = 0;
}
