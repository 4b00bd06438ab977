/* A command with chores of a known cost, each in one function that nothing inlines. Nothing here knows of fuselab.
 *
 * Usage: chores NAME=VALUE ...
 *
 *   burn-ms=N   N ms of CPU, by the thread's own clock, in burn_cpu
 *   wait-ms=N   N ms asleep in wait_asleep
 *   leak-mib=N  N MiB in blocks of 64 KiB, allocated in leak_memory and never freed
 *   asks=N      N calls of getppid(2) in ask_parent
 *   apart=1     all of that is done by a child, whose parent waits for it
 *
 * Who has done them says on standard output what its own clocks counted: "planted: cpu_ns=N asleep_ns=N".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define APART __attribute__((noinline))
#define BLOCK (64 << 10)

static void *volatile leaked;

static long now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

APART long burn_cpu(long ms) {
    long begun = now_ns(CLOCK_THREAD_CPUTIME_ID), used = 0;
    volatile long sum = 0;
    while (used < ms * 1000000L) {
        for (long i = 0; i < 100000; i++) sum += i;
        used = now_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
    }
    return used;
}

APART long wait_asleep(long ms) {
    long begun = now_ns(CLOCK_MONOTONIC);
    if (ms) usleep(ms * 1000);
    return now_ns(CLOCK_MONOTONIC) - begun;
}

APART void leak_memory(long mib) {
    for (long i = 0; i < (mib << 20) / BLOCK; i++) {
        void **block = malloc(BLOCK);
        memset(block, 1, BLOCK);
        *block = leaked;
        leaked = block;
    }
}

APART void ask_parent(long times) {
    while (times-- > 0) syscall(SYS_getppid);
}

static long asked(int count, char **words, const char *name) {
    size_t length = strlen(name);
    for (int i = 1; i < count; i++)
        if (!strncmp(words[i], name, length) && words[i][length] == '=') return atol(words[i] + length + 1);
    return 0;
}

int main(int count, char **words) {
    if (asked(count, words, "apart")) {
        pid_t child = fork();
        if (child) {
            int status;
            return waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : 1;
        }
    }
    leak_memory(asked(count, words, "leak-mib"));
    long cpu_ns = burn_cpu(asked(count, words, "burn-ms"));
    long asleep_ns = wait_asleep(asked(count, words, "wait-ms"));
    ask_parent(asked(count, words, "asks"));
    printf("planted: cpu_ns=%ld asleep_ns=%ld\n", cpu_ns, asleep_ns);
    return 0;
}
