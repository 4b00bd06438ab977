/* A process that keeps company: threads of it end, and a child leaves it, works and ends, whatever else goes on.
 *
 * Usage: company FILE ROUNDS
 * As soon as FILE is there one of its four threads ends, and a grandchild whose parent is gone counts to ROUNDS in
 * work_apart, which no clock and no library interrupts, and then renames FILE to FILE.done. The process itself stays until
 * it is killed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *file;

static void *stay(void *for_ever) {
    while (for_ever) pause();
    while (access(file, F_OK)) usleep(10000);
    return NULL;
}

__attribute__((noinline)) long work_apart(long rounds) {
    volatile long sum = 0;
    for (long i = 0; i < rounds; i++) sum += i;
    return sum;
}

int main(int count, char **words) {
    if (count != 3) return 2;
    file = words[1];
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, stay, (void *)i);
    stay(NULL);
    if (fork() == 0) {
        if (fork()) _exit(0);
        work_apart(atol(words[2]));
        char done[4096];
        snprintf(done, sizeof done, "%s.done", file);
        _exit(rename(file, done));
    }
    for (;;) pause();
}
