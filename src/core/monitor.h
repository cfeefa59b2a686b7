#ifndef SF_CORE_MONITOR_H
#define SF_CORE_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

struct sifr_socket;

/* Beside the events in sifr_socket.monitored: the monitor tells both ends. */
enum { SF_MONITOR_ENDS = 1u << 31 };

/* Where something happens, as endpoint texts; NULL: not known. */
struct sf_ends {
    const char *local, *remote;
    bool dialed; /* `remote` is what was passed to connect; else `local` is what was bound */
};

/* Whether the monitor of `s` tells both ends of this event. Any thread. */
bool sf_monitor_wants_ends(struct sifr_socket *s, unsigned event);

/* Reports an event of `s` to its monitor, if there is one that wants it. Any thread; never blocks. */
void sf_monitor_emit(struct sifr_socket *s, unsigned event, uint64_t value, struct sf_ends at);

/* Ends the monitor of `s` after MONITOR_STOPPED. With the turn of `s`. */
void sf_monitor_stop(struct sifr_socket *s);

#endif
