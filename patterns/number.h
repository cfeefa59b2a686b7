#ifndef SF_PATTERNS_NUMBER_H
#define SF_PATTERNS_NUMBER_H

#include "patterns/pattern.h"

/* Peers by number, sf_peer.number: what messages of SERVER and PEER carry as routing id. */
struct sf_numbers {
    struct sf_map peers; /* sf_peer.by_id; the keys are sf_peer.number */
    uint32_t next;
};

int sf_numbers_init(struct sf_numbers *n); /* 0 or -ENOMEM */
void sf_numbers_fini(struct sf_numbers *n);

/* Gives a peer a number of its own, never 0. 0 or -ENOMEM. */
int sf_number_give(struct sf_numbers *n, struct sf_peer *p);

/* The peer can not be found any more; what is read of it keeps its number. Harmless the second time. */
void sf_number_retire(struct sf_numbers *n, struct sf_peer *p);

/* The peer with that number, or NULL. */
struct sf_peer *sf_number_find(const struct sf_numbers *n, uint32_t number);

#endif
