/* A plugin that keeps 4,000,000 bytes in a function of the name that -DNAME gives it. */
#include <stdlib.h>
#include <string.h>

static void *kept[400];

__attribute__((noinline)) void NAME(int keep) {
    for (int i = 0; i < 400; i++) {
        if (!keep) {
            free(kept[i]);
            continue;
        }
        kept[i] = malloc(10000);
        memset(kept[i], 1, 10000);
    }
}
