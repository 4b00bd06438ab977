/* Heap dumps at new peaks: preloaded beside a jemalloc with profiling, or into a program that is linked with one.
 *
 * jemalloc's own prof.gdump writes a dump for every few pages that the heap grows beyond its maximum: 25,600 dumps for
 * 100 MiB of 4 KiB blocks, in twenty times the time. So every allocation and every release is counted here (jemalloc
 * calls our hooks), in the thread that makes it and to the byte, and a dump is written when 1/32 more is live than at
 * the last one: what is missed of a peak is below 1/32 of it, however short it is, and ten times the heap is 74 dumps
 * more.
 *
 * A jemalloc inside the program (tikv-jemallocator) is found in its table of symbols. Where there is none, or none that
 * profiles, nothing happens.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS 32 /* a dump for each 1/STEPS of growth */
#define SMALLEST_STEP_BYTES (32 << 10)
#define FIRST_DUMP_BYTES (64 << 10)
#define SMALLEST_LARGE_BYTES (16 << 10)
#define PAGE_BYTES (4 << 10)
#define NOTED_LG 20
#define NOTED (1 << NOTED_LG)

/* What jemalloc 5.3 takes for `experimental.hooks.install`. Arguments are those of the call that was made. */
struct hooks {
    void (*allocated)(void *, int, void *, uintptr_t, uintptr_t *);
    void (*released)(void *, int, void *, uintptr_t *);
    void (*resized)(void *, int, void *, size_t, size_t, uintptr_t, uintptr_t *);
    void *extra;
};
enum { MALLOC, POSIX_MEMALIGN, ALIGNED_ALLOC, CALLOC, MEMALIGN, VALLOC, MALLOCX, REALLOC, RALLOCX };
enum { FREE, DALLOCX, SDALLOCX, FREED_BY_REALLOC, FREED_BY_RALLOCX };
enum { RESIZED_BY_REALLOC, RESIZED_BY_RALLOCX, RESIZED_BY_XALLOCX };

static int (*control)(const char *, void *, size_t *, void *, size_t);
static size_t (*usable)(void *);
static size_t large_pad_bytes;
static bool has_pvalloc; /* a kind more, from 5.3.1 on */
static atomic_long live_bytes, next_dump_bytes = FIRST_DUMP_BYTES;

static long step_of(long live) { return live / STEPS > SMALLEST_STEP_BYTES ? live / STEPS : SMALLEST_STEP_BYTES; }

static void write_asked(void);

static void count(long bytes) {
    long live = atomic_fetch_add_explicit(&live_bytes, bytes, memory_order_relaxed) + bytes;
    long due = atomic_load_explicit(&next_dump_bytes, memory_order_relaxed);
    if (live < due) return;
    /* Of several threads one writes; none waits, so that a child forked meanwhile is not stuck. */
    if (!atomic_compare_exchange_strong(&next_dump_bytes, &due, live + step_of(live))) return;
    control("prof.dump", NULL, NULL, NULL, 0);
    write_asked();
}

/* Where malloc_usable_size is not linked in: jemalloc's size classes, four to a doubling. */
static long size_class(size_t size) {
    if (size <= 8) return 8;
    size_t step = 16;
    if (size > 128) step = (size_t)1 << (61 - __builtin_clzl(size - 1));
    return (long)((size + step - 1) & ~(step - 1));
}

static size_t asked(int kind, const uintptr_t *arguments) {
    switch (kind) {
    case POSIX_MEMALIGN: return arguments[2];
    case ALIGNED_ALLOC: case MEMALIGN: case REALLOC: case RALLOCX: return arguments[1];
    case CALLOC: return arguments[0] * arguments[1];
    default: return arguments[0];
    }
}

/* jemalloc counts a block of 100 MiB as one of 112, its size class. What was asked for is added up for each large class. */
static struct { atomic_long blocks, bytes; } large[256];
static const char *prefix;

static void add_asked(long size, size_t bytes) {
    if (size < SMALLEST_LARGE_BYTES) return;
    int lg = 63 - __builtin_clzl(size), class = lg * 4 + (size >> (lg - 2) & 3);
    atomic_fetch_add_explicit(&large[class].blocks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&large[class].bytes, (long)bytes, memory_order_relaxed);
}

/* PREFIX.PID.asked: a line for each class, its size and the mean of what was asked for in it. */
static void write_asked(void) {
    char text[8192], name[4096];
    int length = 0;
    snprintf(name, sizeof name, "%s.%d.asked", prefix, getpid());
    for (int class = 0; class < 256 && length < (int)sizeof text - 64; class++) {
        long blocks = atomic_load(&large[class].blocks), size = (4L + class % 4) << (class / 4 > 2 ? class / 4 - 2 : 0);
        if (blocks) length += snprintf(text + length, 64, "%ld %ld\n", size, atomic_load(&large[class].bytes) / blocks);
    }
    int file = prefix ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (file >= 0 && write(file, text, length) != length) unlink(name);
    if (file >= 0) close(file);
}

/* A small block that is sampled has an extent of pages for itself, and only jemalloc knows how small it is. So the sizes
 * of all blocks that may have an extent for themselves, and not a large one, are noted by address, in a table where a
 * newer one takes the place of an older. */
static atomic_ullong noted[NOTED];
static __thread bool sampled __attribute__((tls_model("initial-exec")));
static void (*walk)(void **, unsigned *, unsigned);

/* Called for each sample, before its block is allocated. The call at its end is a jump: our frame is in no stack. */
static void on_sample(void **frames, unsigned *depth, unsigned most) {
    sampled = true;
    walk(frames, depth, most);
}

static atomic_ullong *place_of(uintptr_t block) { return &noted[(block >> 4) * 0x9e3779b97f4a7c15u >> (64 - NOTED_LG)]; }

static void note(uintptr_t block, long size) {
    if (size <= SMALLEST_LARGE_BYTES && (sampled || size % PAGE_BYTES == 0))
        atomic_store_explicit(place_of(block), block >> 4 << 12 | size >> 3, memory_order_relaxed);
    sampled = false;
}

/* The size of a block whose owner does not say it, by jemalloc's own account of its extent. */
static long looked_up(void *block) {
    struct { size_t free, regions, bytes; } extent;
    size_t size = sizeof extent;
    if (control("experimental.utilization.batch_query", &extent, &size, &block, sizeof block) || !extent.regions) return 0;
    if (extent.regions > 1) return (long)(extent.bytes / extent.regions);
    long bytes = (long)(extent.bytes - large_pad_bytes);
    if (bytes > SMALLEST_LARGE_BYTES) return size_class(bytes);
    unsigned long long found = atomic_load_explicit(place_of((uintptr_t)block), memory_order_relaxed);
    return found >> 12 == (uintptr_t)block >> 4 ? (long)(found & 0xfff) << 3 : bytes;
}

/* What a child inherits is its parent's: its own peaks begin there. */
static void forked(void) {
    long live = atomic_load(&live_bytes);
    atomic_store(&next_dump_bytes, live + step_of(live));
}

/* In a realloc jemalloc tells of a block before it has noted how small it is: what was asked for counts. */
static void allocated(void *extra, int kind, void *block, uintptr_t result, uintptr_t *arguments) {
    (void)extra, (void)result;
    if (!block) return;
    if (has_pvalloc && kind > VALLOC) kind--;
    long size = usable && kind < REALLOC ? (long)usable(block) : size_class(asked(kind, arguments));
    add_asked(size, asked(kind, arguments));
    if (!usable) note((uintptr_t)block, size);
    count(size);
}

static void released(void *extra, int kind, void *block, uintptr_t *arguments) {
    (void)extra;
    if (!block) return;
    if (usable) count(-(long)usable(block));
    else count(-(kind == SDALLOCX ? size_class(arguments[1]) : looked_up(block)));
}

static void resized(void *extra, int kind, void *block, size_t before, size_t after, uintptr_t result, uintptr_t *arguments) {
    (void)extra, (void)result;
    long size = kind == RESIZED_BY_XALLOCX ? (long)after : size_class(arguments[1]);
    add_asked(size, arguments[1]);
    if (!usable) note((uintptr_t)block, size);
    count(size - size_class(before)); /* 5.3.1 says 36 KiB of a block of 40 */
}

static int load_address(struct dl_phdr_info *program, size_t size, void *into) {
    (void)size;
    *(ElfW(Addr) *)into = program->dlpi_addr;
    return 1; /* the program comes first */
}

/* Address of a function by the program's own table of symbols; NULL where it has none of that name. */
static void *in_program(const char *image, size_t size, const char *name) {
    const ElfW(Ehdr) *head = (const void *)image;
    const ElfW(Shdr) *sections = (const void *)(image + head->e_shoff);
    ElfW(Addr) base = 0;
    if (!head->e_shoff || head->e_shoff + head->e_shnum * sizeof *sections > size) return NULL;
    dl_iterate_phdr(load_address, &base);
    for (int i = 0; i < head->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        const ElfW(Sym) *symbol = (const void *)(image + sections[i].sh_offset);
        const char *strings = image + sections[sections[i].sh_link].sh_offset;
        for (const ElfW(Sym) *end = symbol + sections[i].sh_size / sizeof *symbol; symbol < end; symbol++)
            if (symbol->st_value && !strcmp(strings + symbol->st_name, name)) return (void *)(base + symbol->st_value);
    }
    return NULL;
}

/* The program's own jemalloc before the preloaded one: where it has one, that is what it allocates with. */
static void find_jemalloc(void) {
    struct stat about;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file >= 0 && fstat(file, &about) == 0) {
        const char *image = mmap(NULL, about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (image != MAP_FAILED) {
            control = in_program(image, about.st_size, "_rjem_mallctl");
            usable = in_program(image, about.st_size, "_rjem_malloc_usable_size"); /* linked in where it is called */
            munmap((void *)image, about.st_size);
        }
    }
    if (file >= 0) close(file);
    if (control) return;
    control = dlsym(RTLD_DEFAULT, "mallctl");
    usable = dlsym(RTLD_DEFAULT, "malloc_usable_size");
    if (!usable) control = NULL;
}

__attribute__((constructor)) static void start(void) {
    bool profiles = false, padded = false;
    size_t size = sizeof profiles;
    void *handle;
    const char *version;
    size_t width = sizeof handle;
    struct hooks hooks = {allocated, released, resized, NULL};
    find_jemalloc();
    if (!control || control("opt.prof", &profiles, &size, NULL, 0) || !profiles) return;
    if (control("opt.cache_oblivious", &padded, &size, NULL, 0) == 0 && padded) large_pad_bytes = PAGE_BYTES;
    if (control("version", &version, &width, NULL, 0) || strncmp(version, "5.3.", 4)) return;
    has_pvalloc = version[4] != '0';
    control("opt.prof_prefix", &prefix, &width, NULL, 0);
    void (*before_sample)(void **, unsigned *, unsigned) = on_sample;
    if (!usable && control("experimental.hooks.prof_backtrace", &walk, &width, &before_sample, sizeof before_sample)) return;
    if (control("experimental.hooks.install", &handle, &width, &hooks, sizeof hooks) == 0) pthread_atfork(NULL, NULL, forked);
}
