/* Barriers for others: membarrier on Linux. */
#include "base/barrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

_Atomic bool sf_barrier_cheap;
static _Atomic bool forbidden; /* it was cheap, till the program entered a sandbox */

static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

static bool ask(void)
{
    return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
           membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
}

void sf_barrier_begin(void)
{
    if (!atomic_load(&sf_barrier_cheap) && !atomic_load(&forbidden) && ask())
        atomic_store(&sf_barrier_cheap, true);
}

/*
 * There are still some who pass a light barrier that is none. What they have
 * stored shows within far less than a microsecond on all machines there are.
 */
static void wait_long_enough(void)
{
    for (int i = 0; i < 3 && poll(NULL, 0, 1) != 0; i++)
        ; /* a signal came */
}

void sf_barrier_heavy(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    /* It worked before: what can fail is memory of the kernel's, or a forked child's registration. */
    while (atomic_load(&sf_barrier_cheap)) {
        if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0 ||
            membarrier(MEMBARRIER_CMD_GLOBAL) == 0)
            return;
        if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0 && errno != ENOMEM) {
            atomic_store(&forbidden, true);
            atomic_store(&sf_barrier_cheap, false);
        }
        sched_yield();
    }
    if (atomic_load(&forbidden))
        wait_long_enough();
}
