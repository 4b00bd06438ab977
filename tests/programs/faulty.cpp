// As faulty.c, in C++: what is at fault is a lambda in a method, and works through the standard library.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#define APART [[gnu::noinline]]
static volatile long sum;
static std::vector<char> from(1 << 16, 1);

static long cpu_ms() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

namespace store {
class Chunks {
    std::vector<std::vector<char>> kept;
  public:
    APART void at_fault(const std::string &fault, long ms) {
        auto work = [&]() __attribute__((noinline)) {
            if (fault == "burn")
                for (long until = cpu_ms() + ms; cpu_ms() < until;) { std::vector<char> copy(from); sum = sum + copy[7]; }
            if (fault == "wait") std::this_thread::sleep_for(std::chrono::milliseconds(ms));
            if (fault == "leak") while (ms-- > 0) kept.emplace_back(4096);
            sum = sum + 1;
        };
        work();
        sum = sum + 1;
    }
    APART void checksum(long ms) {
        for (long until = cpu_ms() + ms; cpu_ms() < until;) for (int i = 0; i < 10000; i++) sum = sum + from[i];
    }
    APART void look_up(long ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); sum = sum + 1; }
    APART void hold(long blocks) { while (blocks-- > 0) kept.emplace_back(4096); }
    APART void write(const std::string &fault, long ms) { at_fault(fault, ms); checksum(6); sum = sum + 1; }
    APART void serve(const std::string &fault, long ms) { write(fault, ms); look_up(4); hold(8); sum = sum + 1; }
};
}

int main(int, char **word) {
    store::Chunks chunks;
    std::cout << "ready" << std::endl;
    if (std::getchar() == EOF) return 1;
    for (int i = 0; i < 60; i++) chunks.serve(word[1], std::atol(word[2]));
    std::cout << "done" << std::endl;
    while (std::getchar() != EOF) { }
}
