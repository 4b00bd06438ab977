/* Time off the CPU, planted: `waits CALLS` prints `ready`, waits for a line, sleeps CALLS x 10 ms in naps(), while
 * a thread born in the window sleeps the same in naps_beside(); prints `done` with the ns that both have slept by
 * their own clock, and waits for the end of stdin. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long calls;

static long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void nap(void) {
    struct timespec ten_ms = {0, 10 * 1000 * 1000};
    nanosleep(&ten_ms, NULL);
}

__attribute__((noinline)) long naps(void) {
    long start_ns = now_ns();
    for (long i = 0; i < calls; i++) nap();
    return now_ns() - start_ns;
}

__attribute__((noinline)) void *naps_beside(void *unused) {
    (void)unused;
    long start_ns = now_ns();
    for (long i = 0; i < calls; i++) nap();
    return (void *)(now_ns() - start_ns);
}

int main(int argc, char **argv) {
    char line[16];
    calls = argc > 1 ? atol(argv[1]) : 20;
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
    pthread_t beside;
    pthread_create(&beside, NULL, naps_beside, NULL);
    long slept_ns = naps();
    void *slept_beside_ns;
    pthread_join(beside, &slept_beside_ns);
    printf("done %ld\n", slept_ns + (long)slept_beside_ns);
    fflush(stdout);
    while (read(0, line, sizeof line) > 0) {
    }
    return 0;
}
