/* CPU time at the bottom of 40 calls with 256 bytes of stack each: built without frame pointers, only the innermost
 * calls can be found. Prints `ready`, waits for a line, works, prints `done`, waits for the end of stdin. */
#include <stdio.h>
#include <unistd.h>

static volatile long sink;

__attribute__((noinline)) static long down(int depth) {
    volatile char room[256];
    room[depth] = (char)depth;
    if (depth == 0) {
        for (long i = 0; i < 200 * 1000 * 1000L; i++) sink += i;
        return sink;
    }
    return down(depth - 1) + room[depth];
}

int main(void) {
    char line[16];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
    sink = down(40);
    puts("done");
    fflush(stdout);
    while (read(0, line, sizeof line) > 0) {
    }
    return 0;
}
