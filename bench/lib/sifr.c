/* sifr, for the benchmarks. */
#include <sifr.h>

#define F(name) sifr_##name
#define K(name) SIFR_##name
#include "zeromq_api.h"

const struct peer_lib peer_sifr = ZEROMQ_TABLE("sifr");
