#ifndef SF_PATTERNS_SERVER_H
#define SF_PATTERNS_SERVER_H

#include "patterns/number.h"
#include "patterns/single.h"

/* What SERVER and PEER have in common, which is all but whom they talk to. */
struct sf_server {
    struct sf_numbers numbers;
    struct sf_single in;
};

int sf_server_init(struct sf_socket *s);
void sf_server_fini(struct sf_socket *s);
int sf_server_attach(struct sf_socket *s, struct sf_peer *p);
void sf_server_ended(struct sf_socket *s, struct sf_peer *p);
void sf_server_detach(struct sf_socket *s, struct sf_peer *p);
void sf_server_readable(struct sf_socket *s, struct sf_peer *p);
int sf_server_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait);
int sf_server_recv(struct sf_socket *s, struct sf_msg *m);
int sf_server_events(struct sf_socket *s);
struct sf_peer *sf_server_find(struct sf_socket *s, uint32_t number);

#endif
