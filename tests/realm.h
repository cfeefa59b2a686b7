/*
 * A realm of Kerberos of a program's own: a KDC on loopback, a principal for each purpose, their keys and a ticket,
 * all in a directory that is gone when the program ends.
 */
#ifndef SIFR_TESTS_REALM_H
#define SIFR_TESTS_REALM_H

#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define REALM "SIFR.TEST"

/* What libkrb5 loses by itself when it looks for a key that is not there, and libzmq of what libkrb5 gives it. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libkrb5.so\nleak:libgssapi_krb5.so\nleak:libzmq.so\n";
}

static struct {
    char folder[64];
    int port;
    pid_t kdc;
} realm;

/* Where it stands, or "". */
static inline const char *find_program(const char *name)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"};
    static char path[4][64];
    static int n;
    char *to = path[n++ % 4];

    for (int i = 0; i < COUNT(folders); i++) {
        snprintf(to, sizeof path[0], "%s/%s", folders[i], name);
        if (access(to, X_OK) == 0)
            return to;
    }
    return "";
}

static inline void realm_file(const char *name, const char *format, ...)
{
    char path[128];
    va_list args;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", realm.folder, name);
    f = fopen(path, "w");
    if (!f)
        return;
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fclose(f);
}

/* Its output goes to a file, for who looks why it failed. */
static inline pid_t realm_spawn(char *const *argv)
{
    extern char **environ;
    posix_spawn_file_actions_t files;
    char log[128];
    pid_t pid = -1;

    snprintf(log, sizeof log, "%s/log", realm.folder);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (posix_spawn(&pid, argv[0], &files, NULL, argv, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&files);
    return pid;
}

#define realm_run(...) realm_run_all((char *const[]){__VA_ARGS__, NULL})

static inline bool realm_run_all(char *const *argv)
{
    pid_t pid = realm_spawn(argv);
    int status;

    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline bool realm_ask(const char *query)
{
    return realm_run((char *)find_program("kadmin.local"), "-q", (char *)query);
}

/* Lets go of the KDC and of the files. */
static inline void close_realm(void)
{
    DIR *d = opendir(realm.folder);
    struct dirent *e;

    if (realm.kdc > 0) {
        kill(realm.kdc, SIGKILL);
        waitpid(realm.kdc, NULL, 0);
    }
    while (d && (e = readdir(d)) != NULL)
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(realm.folder);
}

static inline int realm_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &size) != 0)
        a.sin_port = 0;
    close(fd);
    return ntohs(a.sin_port);
}

/* Whether the KDC is there: it hears, or it has ended because somebody else has the port. */
static inline bool realm_listens(int port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int64_t end = now_ms() + WAIT_MS;

    while (now_ms() < end && waitpid(realm.kdc, NULL, WNOHANG) == 0) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int err = connect(fd, (struct sockaddr *)&a, sizeof a);

        close(fd);
        if (err == 0)
            return true;
        poll(NULL, 0, 5);
    }
    return false;
}

/* What programs are told of it: where the KDC is, and lines of [libdefaults]. */
static inline void realm_config(const char *name, int port, const char *more)
{
    realm_file(name,
               "[libdefaults]\n default_realm = " REALM "\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
               " dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n"
               " allow_weak_crypto = true\n allow_rc4 = true\n allow_des3 = true\n%s" /* to be refused by us */
               "[realms]\n " REALM " = {\n  kdc = 127.0.0.1:%d\n }\n[domain_realm]\n localhost = " REALM "\n",
               more, port);
}

static inline void realm_files(int port)
{
    realm_config("krb5.conf", port, "");
    realm_file("kdc.conf",
               "[kdcdefaults]\n kdc_listen = 127.0.0.1:%d\n kdc_tcp_listen = 127.0.0.1:%d\n"
               "[realms]\n " REALM " = {\n  database_name = %s/db\n  key_stash_file = %s/stash\n  acl_file = %s/acl\n"
               "  max_life = 1h\n }\n[logging]\n kdc = FILE:%s/kdc.log\n",
               port, port, realm.folder, realm.folder, realm.folder, realm.folder);
}

static inline bool start_kdc(void)
{
    int port = realm.port = realm_port();

    realm_files(port);
    realm.kdc = realm_spawn((char *const[]){(char *)find_program("krb5kdc"), "-n", NULL});
    return realm.kdc > 0 && realm_listens(port);
}

static inline void realm_env(const char *name, const char *format)
{
    char value[128];

    snprintf(value, sizeof value, format, realm.folder);
    setenv(name, value, 1);
}

/* From now on `client` is who we are, and has no ticket but the one for the KDC. */
static inline bool new_tickets_of(const char *client)
{
    static int count;
    char name[32], path[128];

    snprintf(name, sizeof name, "tickets-%d-%d", (int)getpid(), count++);
    snprintf(path, sizeof path, "FILE:%s/%s", realm.folder, name);
    setenv("KRB5CCNAME", path, 1);
    snprintf(path, sizeof path, "%s/keys", realm.folder);
    return realm_run((char *)find_program("kinit"), "-k", "-t", path, (char *)client);
}

static inline bool new_tickets(void)
{
    return new_tickets_of("client");
}

/*
 * Makes it: zmq@localhost serves, client has a ticket; "sealed" and "camellia" serve with other kinds of keys, and
 * "weak" has keys alone that nobody should use any more.
 * All of them are in the keytab. NULL, or why it cannot be.
 */
static inline const char *open_realm(void)
{
    char keys[128], query[320];

    if (!*find_program("krb5kdc") || !*find_program("kdb5_util") || !*find_program("kadmin.local") ||
        !*find_program("kinit"))
        return "krb5kdc, kdb5_util, kadmin.local and kinit are not all installed";
    strcpy(realm.folder, "/tmp/sifr-realm-XXXXXX");
    if (!mkdtemp(realm.folder))
        return "no directory for a realm";
    realm_env("KRB5_CONFIG", "%s/krb5.conf");
    realm_env("KRB5_KDC_PROFILE", "%s/kdc.conf");
    realm_env("KRB5_KTNAME", "FILE:%s/keys");
    realm_env("KRB5RCACHEDIR", "%s");
    snprintf(keys, sizeof keys, "%s/keys", realm.folder);
    realm_files(0);
    if (!realm_run((char *)find_program("kdb5_util"), "create", "-s", "-r", REALM, "-P", "master"))
        return "kdb5_util failed";
    snprintf(query, sizeof query, "ktadd -norandkey -k %s client zmq/localhost sealed/localhost camellia/localhost"
             " weak weak/localhost",
             keys);
    if (!realm_ask("addprinc -randkey client") || !realm_ask("addprinc -randkey zmq/localhost") ||
        !realm_ask("addprinc -randkey stranger") ||
        !realm_ask("addprinc -randkey -e aes256-cts-hmac-sha384-192:normal sealed/localhost") ||
        !realm_ask("addprinc -randkey -e camellia128-cts-cmac:normal camellia/localhost") ||
        !realm_ask("addprinc -randkey -e arcfour-hmac:normal,des3-cbc-sha1:normal weak") ||
        !realm_ask("addprinc -randkey -e arcfour-hmac:normal,des3-cbc-sha1:normal weak/localhost") ||
        !realm_ask("setstr krbtgt/" REALM " session_enctypes \"aes256-cts arcfour-hmac des3-cbc-sha1\"") ||
        !realm_ask("setstr weak/localhost session_enctypes \"arcfour-hmac des3-cbc-sha1\"") ||
        !realm_ask(query))
        return "kadmin.local failed";
    for (int i = 0; i < 5 && !start_kdc(); i++) /* the port may have been taken in between */
        realm.kdc = 0;
    if (realm.kdc <= 0)
        return "krb5kdc does not start";
    return new_tickets() ? NULL : "kinit failed";
}

enum { SKIPPED = 77 };

/* What main() returns that tests in a realm. */
static inline int run_in_realm(Suite *suite)
{
    const char *why = sifr_has("gssapi") ? open_realm() : "the library was built without GSSAPI";
    int status = SKIPPED;

    if (why)
        printf("skipped: %s\n", why);
    else
        status = run_suite(suite);
    close_realm();
    return status;
}

#endif
