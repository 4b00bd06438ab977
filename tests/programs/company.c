/* A process that keeps company: threads of it end, and a child leaves it, works and ends, whatever else goes on.
 *
 * Usage: company MILLISECONDS ROUNDS
 * After MILLISECONDS one of its four threads ends, and a grandchild whose parent is gone counts to ROUNDS in
 * work_apart, which no clock and no library interrupts. The process itself stays until it is killed.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *stay(void *milliseconds) {
    usleep(1000L * (long)milliseconds);
    return NULL;
}

__attribute__((noinline)) long work_apart(long rounds) {
    volatile long sum = 0;
    for (long i = 0; i < rounds; i++) sum += i;
    return sum;
}

int main(int count, char **words) {
    if (count != 3) return 2;
    long milliseconds = atol(words[1]);
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, stay, (void *)(i ? 60000 : milliseconds));
    usleep(1000 * milliseconds);
    if (fork() == 0) {
        if (fork() == 0) work_apart(atol(words[2]));
        _exit(0);
    }
    for (;;) pause();
}
