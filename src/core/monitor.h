#ifndef SF_CORE_MONITOR_H
#define SF_CORE_MONITOR_H

#include <stdint.h>

struct sifr_socket;

/* Reports an event of `s` to its monitor, if there is one that wants it. Any thread; never blocks. */
void sf_monitor_emit(struct sifr_socket *s, unsigned event, uint64_t value, const char *endpoint);

/* Ends the monitor of `s` after MONITOR_STOPPED. With the turn of `s`. */
void sf_monitor_stop(struct sifr_socket *s);

#endif
