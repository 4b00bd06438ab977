/* Opens two plugins one after the other, each with the function of its name, and closes the first: the second lies where
 * the first was, as translators of filesystems and name services do. `host FIRST.so FIRST SECOND.so SECOND` says both
 * addresses. */
#include <dlfcn.h>
#include <stdio.h>

static void (*opened(const char *file, const char *name, void **handle))(int) {
    *handle = dlopen(file, RTLD_NOW);
    return *handle ? (void (*)(int))dlsym(*handle, name) : 0;
}

int main(int words, char **word) {
    void *handle;
    if (words < 5) return 2;
    for (int i = 1; i < 5; i += 2) {
        void (*keep)(int) = opened(word[i], word[i + 1], &handle);
        if (!keep) return 1;
        printf("%p\n", (void *)keep);
        keep(1);
        if (i == 1) keep(0), dlclose(handle);
    }
    return 0;
}
