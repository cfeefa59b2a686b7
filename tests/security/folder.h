/* A directory of a test's own, with files that the test writes; gone when the test ends. */
#ifndef SIFR_TESTS_FOLDER_H
#define SIFR_TESTS_FOLDER_H

#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static char folder[64];

static inline void open_folder(void)
{
    strcpy(folder, "/tmp/sifr-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void empty_folder(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ck_works(unlinkat(dirfd(d), e->d_name, 0));
    }
    if (d)
        closedir(d);
}

static inline void close_folder(void)
{
    empty_folder(folder);
    ck_works(rmdir(folder));
}

struct path {
    char text[160];
};

static inline struct path path_of(const char *name)
{
    struct path p;

    snprintf(p.text, sizeof p.text, "%s/%s", folder, name);
    return p;
}

/* Makes the file, or writes it anew in its place. */
static inline void write_file(const char *name, const char *text)
{
    struct path p = path_of(name);
    FILE *f = fopen(p.text, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    ck_works(fclose(f));
}

/* The same as editors do it: what reads sees the old file or the new one. */
static inline void replace_file(const char *name, const char *text)
{
    struct path from = path_of("new~"), to = path_of(name);

    write_file("new~", text);
    ck_works(rename(from.text, to.text));
}

static inline void remove_file(const char *name)
{
    struct path p = path_of(name);

    ck_works(unlink(p.text));
}

/* A certificate of a key as Z85. */
static inline void write_cert(const char *name, const char *key)
{
    char text[256];

    snprintf(text, sizeof text, "#  a comment\nmetadata\n    name = \"%s\"\ncurve\n    public-key = \"%s\"\n", name, key);
    write_file(name, text);
}

#endif
