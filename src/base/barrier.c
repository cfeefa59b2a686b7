/* Barriers for others: membarrier on Linux. */
#include "base/barrier.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

_Atomic bool sf_barrier_cheap;

static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

void sf_barrier_begin(void)
{
    if (!atomic_load(&sf_barrier_cheap) &&
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
        atomic_store(&sf_barrier_cheap, true);
}

void sf_barrier_heavy(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&sf_barrier_cheap, memory_order_relaxed))
        return;
    /* It worked before: what can fail is memory of the kernel's, or a forked child's registration. */
    while (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
           membarrier(MEMBARRIER_CMD_GLOBAL) != 0) {
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        sched_yield();
    }
}
