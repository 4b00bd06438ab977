// Some two thirds of the time in a function that reads the clock, the rest in one that counts, in rounds of some 30 us. The
// clock is in the kernel's vdso, and read by way of glibc, which keeps no frame pointers. Prints the first one's share as
// the same clock has it, rounds left out in which somebody else had the processor.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static uint64_t reads_clock(uint64_t until) {
    uint64_t reads = 0;
    while (now_ns() < until) reads++;
    return reads;
}

__attribute__((noinline)) static uint64_t counts(uint64_t rounds) {
    volatile uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) sum += i;
    return sum;
}

int main(int argc, char **argv) {
    char line[16];
    puts("ready"), fflush(stdout);
    if (argc < 2 || !fgets(line, sizeof line, stdin)) return 1;
    uint64_t end = now_ns() + (uint64_t)(atof(argv[1]) * 1e9), sum = 0, of_clock = 0, of_counts = 0;
    uint64_t before, between, after;
    for (before = now_ns(); before < end; before = after) {
        sum += reads_clock(before + 20000);
        between = now_ns();
        sum += counts(20000);
        after = now_ns();
        if (after - before < 200000) of_clock += between - before, of_counts += after - between;
    }
    printf("done %f %llu\n", (double)of_clock / (double)(of_clock + of_counts), (unsigned long long)sum);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {}
}
