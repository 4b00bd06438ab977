/* Heaps of a known size: `heaps MODE MIB BLOCK` has MIB mebibytes live at its peak, in blocks of BLOCK bytes, and has freed
 * them all when it ends. Nothing here knows of fuselab.
 *
 *   hold     allocated in hold, then freed
 *   brief    the same after 64 KiB in small steps, and freed at once: the peak lasts as long as one memset
 *   late     the peak is the second one, by another function (hold_late), after a first of two thirds (hold)
 *   threads  by eight threads, each its part
 *   fork     half by the parent (hold); a forked child then holds the other half (hold_in_child) beside what it inherited
 *   exit     as hold, but ends with _exit: nothing is written at the end
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline))

static size_t block;

static void fill(void **kept, long count) {
    for (long i = 0; i < count; i++) {
        kept[i] = malloc(block);
        memset(kept[i], 1, block);
    }
}

APART void hold(void **kept, long count) {
    fill(kept, count);
    __asm__ volatile("");
}

APART void hold_late(void **kept, long count) {
    fill(kept, count);
    __asm__ volatile("");
}

APART void hold_in_child(void **kept, long count) {
    fill(kept, count);
    __asm__ volatile("");
}

APART void hold_small(void **kept, long count) {
    for (long i = 0; i < count; i++) kept[i] = malloc(64);
}

static void drop(void **kept, long count) {
    for (long i = 0; i < count; i++) free(kept[i]);
}

static void *part(void *kept) {
    hold(kept, ((long *)kept)[-1]);
    return NULL;
}

static void by_threads(long count) {
    pthread_t threads[8];
    void **parts[8];
    long each = count / 8;
    for (int i = 0; i < 8; i++) {
        parts[i] = calloc(each + 1, sizeof(void *));
        *(long *)parts[i] = each;
        pthread_create(&threads[i], NULL, part, parts[i] + 1);
    }
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 8; i++) drop(parts[i] + 1, each);
}

static void by_child(void **kept, long count) {
    hold(kept, count / 2);
    pid_t child = fork();
    if (child == 0) {
        hold_in_child(kept + count / 2, count / 2);
        exit(0);
    }
    waitpid(child, NULL, 0);
    drop(kept, count / 2);
}

int main(int words, char **word) {
    if (words < 4) return 2;
    const char *mode = word[1];
    block = strtoul(word[3], NULL, 10);
    long count = (long)(strtod(word[2], NULL) * 1048576 / block);
    void **kept = calloc(count, sizeof *kept), *small[1024];
    printf("%d\n", getpid());
    fflush(stdout);
    if (!strcmp(mode, "threads")) {
        by_threads(count);
    } else if (!strcmp(mode, "fork")) {
        by_child(kept, count);
    } else {
        if (!strcmp(mode, "brief")) hold_small(small, 1024);
        if (!strcmp(mode, "late")) {
            hold(kept, count * 2 / 3);
            drop(kept, count * 2 / 3);
            hold_late(kept, count);
        } else {
            hold(kept, count);
        }
        if (!strcmp(mode, "exit")) _exit(0);
        drop(kept, count);
    }
    free(kept);
    return 0;
}
