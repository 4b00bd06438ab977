/* CPU time in libc's memcpy, planted: `copies SECONDS` prints `ready`, waits for a line, copies three times as many
 * bytes in copies_much() as in copies_little(), prints `done` and waits for the end of stdin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BYTES = 1 << 20 };
static char from[BYTES], to[BYTES];
static volatile char seen;

__attribute__((noinline)) void copies_much(size_t bytes) {
    for (int i = 0; i < 3; i++) {
        memcpy(to, from, bytes);
        seen = to[bytes - 1];
    }
}

__attribute__((noinline)) void copies_little(size_t bytes) {
    memcpy(to, from, bytes);
    seen = to[bytes - 1];
}

int main(int argc, char **argv) {
    char line[16];
    double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (int i = 0; i < 100; i++) {
            copies_much(BYTES - (line[0] == 'x'));
            copies_little(BYTES - (line[0] == 'x'));
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - start.tv_sec + (now.tv_nsec - start.tv_nsec) / 1e9 < seconds);
    puts("done");
    fflush(stdout);
    while (read(0, line, sizeof line) > 0) {
    }
    return 0;
}
