/* Retains `MiB` in blocks of 4 KiB in a named function, for an allocator that is preloaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void **kept;

__attribute__((noinline)) void *keep_block(void) {
    void *block = malloc(4096);
    memset(block, 1, 4096);
    return block;
}

__attribute__((noinline)) void drop_block(void) {
    void *volatile block = malloc(65536);
    memset(block, 1, 65536);
    free(block);
}

int main(int argc, char **argv) {
    long blocks = (argc > 1 ? atol(argv[1]) : 64) * 256;
    kept = calloc(blocks, sizeof *kept);
    for (long i = 0; i < blocks; i++) {
        kept[i] = keep_block();
        drop_block();
    }
    puts("done");
    return 0;
}
