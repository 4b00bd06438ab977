/* A server whose requests are alike but for one fault: `faulty FAULT MS`. It says `ready`, waits for a line, works, says
 * `done`. FAULT is `none`, `burn` (MS of CPU), `wait` (MS asleep) or `leak` (MS blocks of 4 KiB), each planted in
 * at_fault, which is called by two callers of its own and calls libc for what it does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define APART __attribute__((noinline))
static char from[1 << 16], to[1 << 16];
static void *volatile kept;
static volatile long sum;

static long cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

APART void at_fault(const char *fault, long ms) {
    if (!strcmp(fault, "burn")) for (long until = cpu_ms() + ms; cpu_ms() < until;) memcpy(to, from, sizeof to);
    if (!strcmp(fault, "wait")) usleep(ms * 1000);
    if (!strcmp(fault, "leak")) while (ms-- > 0) { void **block = calloc(1, 4096); *block = kept; kept = block; }
    sum++;
}

APART void checksum(long ms) {
    for (long until = cpu_ms() + ms; cpu_ms() < until;) for (int i = 0; i < 10000; i++) sum += from[i];
}

APART void look_up(long ms) { usleep(ms * 1000); sum++; }
APART void hold(long blocks) { while (blocks-- > 0) { void **block = malloc(4096); *block = kept; kept = block; } }
APART void write_chunk(const char *fault, long ms) { at_fault(fault, ms); checksum(6); sum++; }
APART void serve(const char *fault, long ms) { write_chunk(fault, ms); look_up(4); hold(8); sum++; }

int main(int count, char **word) {
    if (count < 3) return 2;
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) return 1;
    for (int i = 0; i < 60; i++) serve(word[1], atol(word[2]));
    puts("done");
    fflush(stdout);
    while (getchar() != EOF) { }
    return 0;
}
