/*
 * Keys for CURVE: makes a pair and writes it as two certificates, which sifr_auth_curve, czmq and
 * pyzmq read. NAME.key is to be given to others; NAME.key_secret is for its owner's eyes.
 *
 *   keygen NAME [WHAT=VALUE...]    joe "email=joe@example.org" ...; they become properties of the
 *                                  messages that come from whoever has the key
 *
 * Without arguments it shows such a pair, and keeps nothing.
 */
#include "common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEY_TEXT = 41, PATH_SIZE = 1024 };

/* Makes a file that was not there before, with these permissions from its first byte on. */
static FILE *new_file(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    return f;
}

static void write_metadata(FILE *f, int n, char **properties)
{
    fprintf(f, "metadata\n");
    for (int i = 0; i < n; i++) {
        int name = (int)strcspn(properties[i], "=");

        fprintf(f, "    %.*s = \"%s\"\n", name, properties[i], properties[i] + name + 1);
    }
}

/* secret NULL: the certificate for others. */
static void write_certificate(const char *path, const char *public, const char *secret, int n,
                              char **properties)
{
    FILE *f = new_file(path, secret ? 0600 : 0644);
    char when[32];
    time_t now = time(NULL);

    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime(&now));
    fprintf(f, "#   ****  Generated on %s by sifr  ****\n", when);
    if (secret)
        fprintf(f, "#   ZeroMQ CURVE **Secret** Certificate\n"
                   "#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.\n\n");
    else
        fprintf(f, "#   ZeroMQ CURVE Public Certificate\n"
                   "#   Exchange securely, or use a secure mechanism to verify the contents\n"
                   "#   of this file after exchange.\n\n");
    write_metadata(f, n, properties);
    fprintf(f, "curve\n    public-key = \"%s\"\n", public);
    if (secret)
        fprintf(f, "    secret-key = \"%s\"\n", secret);
    if (ferror(f) | fclose(f)) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
}

/* A line break would end the value, and the next line say something else. */
static void check(int n, char **properties)
{
    for (int i = 0; i < n; i++) {
        const char *property = properties[i];

        if (!strchr(property, '=') || property[0] == '=' || strpbrk(property, "\r\n")) {
            fprintf(stderr, "'%s' is not WHAT=VALUE\n", property);
            exit(2);
        }
    }
}

static void generate(const char *name, int n, char **properties)
{
    char public[KEY_TEXT], secret[KEY_TEXT], path[PATH_SIZE], secret_path[PATH_SIZE + 8];

    EXPECT(snprintf(path, sizeof path, "%s.key", name) < (int)sizeof path);
    snprintf(secret_path, sizeof secret_path, "%s_secret", path);
    check(n, properties);
    OK(sifr_curve_keypair(public, secret));
    write_certificate(secret_path, public, secret, n, properties);
    write_certificate(path, public, NULL, n, properties);
    memset(secret, 0, sizeof secret);
    printf("%s: to be given to others\n%s: to be kept\n", path, secret_path);
}

static void show(const char *path)
{
    char line[TEXT_MAX];
    struct stat st;
    FILE *f = fopen(path, "r");

    EXPECT(f && fstat(fileno(f), &st) == 0);
    printf("\n%s, mode %o\n", path, (unsigned)st.st_mode & 0777);
    while (fgets(line, sizeof line, f))
        printf("  %s", line);
    EXPECT(fclose(f) == 0 && unlink(path) == 0);
}

static void demonstrate(void)
{
    char folder[] = "/tmp/sifr-keygen-XXXXXX", name[64], path[96];

    EXPECT(mkdtemp(folder));
    snprintf(name, sizeof name, "%s/joe", folder);
    generate(name, 1, (char *[]){(char[]){"email=joe@example.org"}});
    snprintf(path, sizeof path, "%s.key", name);
    show(path);
    snprintf(path, sizeof path, "%s.key_secret", name);
    show(path);
    EXPECT(rmdir(folder) == 0);
}

int main(int argc, char **argv)
{
    if (sifr_curve_keypair(NULL, NULL) == -1 && errno == ENOTSUP) {
        printf("this library was built without libsodium\n");
        return 0;
    }
    if (argc > 1)
        generate(argv[1], argc - 2, argv + 2);
    else
        demonstrate();
    return 0;
}
