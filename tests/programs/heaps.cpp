// As heaps.c, in C++: `heapspp MIB BLOCK` keeps strings of BLOCK bytes in a std::list, made in keep_strings.
#include <cstdio>
#include <cstdlib>
#include <list>
#include <string>
#include <unistd.h>

[[gnu::noinline]] void keep_strings(std::list<std::string> &kept, long count, size_t block) {
    for (long i = 0; i < count; i++) kept.emplace_back(block - 1, 'x');
}

int main(int, char **word) {
    size_t block = std::strtoul(word[2], nullptr, 10);
    std::list<std::string> kept;
    std::printf("%d\n", getpid());
    keep_strings(kept, static_cast<long>(std::strtod(word[1], nullptr) * 1048576 / block), block);
    kept.clear();
}
