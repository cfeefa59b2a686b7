/* Which pattern belongs to which socket type. */
#include "patterns/pattern.h"

const struct sf_pattern *sf_pattern_find(int type)
{
    static const struct sf_pattern *const all[] = {
        [SIFR_PAIR] = &sf_pattern_pair,     [SIFR_PUB] = &sf_pattern_pub,
        [SIFR_SUB] = &sf_pattern_sub,       [SIFR_REQ] = &sf_pattern_req,
        [SIFR_REP] = &sf_pattern_rep,       [SIFR_DEALER] = &sf_pattern_dealer,
        [SIFR_ROUTER] = &sf_pattern_router, [SIFR_PULL] = &sf_pattern_pull,
        [SIFR_PUSH] = &sf_pattern_push,     [SIFR_XPUB] = &sf_pattern_xpub,
        [SIFR_XSUB] = &sf_pattern_xsub,     [SIFR_SERVER] = &sf_pattern_server,
        [SIFR_CLIENT] = &sf_pattern_client, [SIFR_GATHER] = &sf_pattern_gather,
        [SIFR_SCATTER] = &sf_pattern_scatter, [SIFR_PEER] = &sf_pattern_peer,
        [SIFR_CHANNEL] = &sf_pattern_channel, [SIFR_RADIO] = &sf_pattern_radio,
        [SIFR_DISH] = &sf_pattern_dish,     [SIFR_STREAM] = &sf_pattern_stream,
        [SIFR_DGRAM] = &sf_pattern_dgram,
    };

    if (type < 0 || (size_t)type >= sizeof all / sizeof *all)
        return NULL;
    return all[type];
}
