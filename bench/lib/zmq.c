/* libzmq, for the benchmarks. */
#include <zmq.h>

#define F(name) zmq_##name
#define K(name) ZMQ_##name
#include "zeromq_api.h"

const struct peer_lib peer_zmq = ZEROMQ_TABLE("zmq");
