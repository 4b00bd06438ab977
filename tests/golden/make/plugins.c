// With -DPLUGIN=NAME a library whose function NAME copies memory for as long as it is told; without, a program that opens
// such libraries one after the other: `plugins LIBRARY=FUNCTION=SECONDS...`. Each is closed before the next is opened,
// and the loader puts that where the last was; `replace=FROM=TO` renames a file in between.
#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef PLUGIN
static char from[1 << 20], to[1 << 20];
void PLUGIN(double seconds) {
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        for (int i = 0; i < 10; i++) memcpy(to, from, sizeof to), memcpy(from, to, sizeof to);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9 < seconds);
}
#else
#include <dlfcn.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    char line[16];
    void *at = NULL, *first = NULL;
    puts("ready"), fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
    for (int i = 1; i < argc; i++) {
        char *library = strtok(argv[i], "="), *function = strtok(NULL, "="), *last = strtok(NULL, "=");
        if (!strcmp(library, "replace")) {
            if (rename(function, last)) return 2;
            continue;
        }
        void *open = dlopen(library, RTLD_NOW);
        void (*run)(double) = open ? (void (*)(double))dlsym(open, function) : NULL;
        if (!run) return fputs(dlerror(), stderr), 3;
        first = first ? first : (void *)run, at = (void *)run;
        run(atof(last));
        dlclose(open);
    }
    printf("done %s\n", at == first ? "at one address" : "elsewhere");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {}
}
#endif
