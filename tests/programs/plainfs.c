/* A filesystem in C that passes everything on to a folder, and does on request what strangers' filesystems do.
 *
 * Usage: plainfs FOLDER [--NAME=VALUE ...] MOUNTPOINT [libfuse options]
 * Nothing here knows of fuselab. Each cost is one function that nothing inlines, so that a profile can be held against
 * what was planted:
 *
 *   burn-us=N         every write burns N us of CPU in burn_cpu (which reads the clock, as code with timers does)
 *   sleep-us=N        every write waits N us in wait_asleep
 *   hold-mib=N        the server allocates N MiB once, in hold_memory, and keeps them
 *   workers=N         N processes are forked before the first request; they inherit /dev/fuse, and each write is handed to one
 *   worker-burn-us=N  ... which burns N us of CPU in worker_burn
 *   worker-hold-mib=N ... and keeps N MiB, allocated in worker_hold
 *   detached=1        the workers leave the family: their parent is the first process of the machine, as sshfs's are
 *   fail-every=N      every Nth write ends with EIO
 *   corrupt-every=N   every Nth write stores its first byte wrong
 *   hang-at=N         the Nth write is never answered: its thread sleeps in hang_for_ever
 *   hang-reads=N      the same for the Nth read
 *   lose-root=1       FOLDER (which is empty) is removed before the mount
 *   die-at=N          the process ends itself by SIGSEGV in the Nth write
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <fuse3/fuse_lowlevel.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 16
#define APART __attribute__((noinline))

static struct {
    const char *name;
    long value;
} knobs[] = {
    {"burn-us", 0},   {"sleep-us", 0},      {"hold-mib", 0}, {"workers", 0},    {"worker-burn-us", 0}, {"worker-hold-mib", 0},
    {"detached", 0},  {"fail-every", 0},    {"corrupt-every", 0}, {"hang-at", 0},  {"hang-reads", 0}, {"die-at", 0}, {"lose-root", 0},
};
enum { BURN, SLEEP, HOLD, COUNT, WORKER_BURN, WORKER_HOLD, DETACHED, FAIL, CORRUPT, HANG, HANG_READS, DIE, LOSE };
#define KNOB(which) (knobs[which].value)

static char folder[PATH_MAX];
static int workers[WORKERS];
static long writes, reads;

static long now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

APART void burn_cpu(long us) {
    for (long end = now_us() + us; now_us() < end;) {
    }
    __asm__ volatile("");
}

APART void worker_burn(long us) {
    for (long end = now_us() + us; now_us() < end;) {
    }
    __asm__ volatile("");
}

APART void wait_asleep(long us) {
    usleep(us);
    __asm__ volatile("");
}

APART void hang_for_ever(void) {
    for (;;) pause();
}

APART void *hold_memory(long mib) {
    char *memory = malloc(mib << 20);
    memset(memory, 1, mib << 20);
    return memory;
}

APART void *worker_hold(long mib) {
    char *memory = malloc(mib << 20);
    memset(memory, 1, mib << 20);
    return memory;
}

static void work_for(int orders) {
    char word;
    if (KNOB(WORKER_HOLD)) worker_hold(KNOB(WORKER_HOLD));
    while (read(orders, &word, 1) == 1) {
        worker_burn(KNOB(WORKER_BURN));
        if (write(orders, &word, 1) != 1) break;
    }
    exit(0);
}

static void start_workers(void) {
    for (int i = 0; i < KNOB(COUNT) && i < WORKERS; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) exit(3);
        pid_t child = fork();
        if (child == 0) {
            for (int other = 0; other < i; other++) close(workers[other]);
            close(pair[0]);
            if (KNOB(DETACHED) && fork()) _exit(0);
            work_for(pair[1]);
        }
        if (KNOB(DETACHED)) waitpid(child, NULL, 0);
        close(pair[1]);
        workers[i] = pair[0];
    }
}

static void hand_over(long number) {
    int worker = workers[number % KNOB(COUNT)];
    char word = 0;
    if (write(worker, &word, 1) != 1 || read(worker, &word, 1) != 1) exit(4);
}

static const char *below(const char *path, char *place) {
    snprintf(place, PATH_MAX, "%s%s", folder, path);
    return place;
}

#define AT(path) below(path, (char[PATH_MAX]){0})
#define DONE(call) ((call) < 0 ? -errno : 0)

static int fs_getattr(const char *path, struct stat *status, struct fuse_file_info *file) {
    (void)file;
    return DONE(lstat(AT(path), status));
}

static int fs_readdir(const char *path, void *into, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
                      enum fuse_readdir_flags flags) {
    (void)offset, (void)file, (void)flags;
    DIR *open = opendir(AT(path));
    if (!open) return -errno;
    for (struct dirent *entry; (entry = readdir(open));) fill(into, entry->d_name, NULL, 0, 0);
    closedir(open);
    return 0;
}

static int fs_open(const char *path, struct fuse_file_info *file) {
    int opened = open(AT(path), file->flags & ~(O_APPEND | O_DIRECT));
    file->fh = opened;
    return DONE(opened);
}

static int fs_create(const char *path, mode_t mode, struct fuse_file_info *file) {
    int opened = open(AT(path), O_RDWR | O_CREAT | O_TRUNC, mode);
    file->fh = opened;
    return DONE(opened);
}

static int fs_read(const char *path, char *into, size_t size, off_t offset, struct fuse_file_info *file) {
    (void)path;
    if (__sync_add_and_fetch(&reads, 1) == KNOB(HANG_READS)) hang_for_ever();
    ssize_t got = pread(file->fh, into, size, offset);
    return got < 0 ? -errno : (int)got;
}

static int fs_write(const char *path, const char *from, size_t size, off_t offset, struct fuse_file_info *file) {
    (void)path;
    long number = __sync_add_and_fetch(&writes, 1);
    if (number == KNOB(HANG)) hang_for_ever();
    if (number == KNOB(DIE)) raise(SIGSEGV);
    if (KNOB(FAIL) && number % KNOB(FAIL) == 0) return -EIO;
    if (KNOB(BURN)) burn_cpu(KNOB(BURN));
    if (KNOB(SLEEP)) wait_asleep(KNOB(SLEEP));
    if (KNOB(COUNT)) hand_over(number);
    ssize_t put = pwrite(file->fh, from, size, offset);
    if (put > 0 && KNOB(CORRUPT) && number % KNOB(CORRUPT) == 0) {
        char wrong = ~from[0];
        if (pwrite(file->fh, &wrong, 1, offset) != 1) return -EIO;
    }
    return put < 0 ? -errno : (int)put;
}

static int fs_release(const char *path, struct fuse_file_info *file) {
    (void)path;
    return DONE(close(file->fh));
}

static int fs_fsync(const char *path, int data_only, struct fuse_file_info *file) {
    (void)path;
    return DONE(data_only ? fdatasync(file->fh) : fsync(file->fh));
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *file) {
    (void)file;
    return DONE(truncate(AT(path), size));
}

static int fs_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *file) {
    (void)file;
    return DONE(utimensat(AT_FDCWD, AT(path), times, AT_SYMLINK_NOFOLLOW));
}

static int fs_chmod(const char *path, mode_t mode, struct fuse_file_info *file) {
    (void)file;
    return DONE(chmod(AT(path), mode));
}

static int fs_rename(const char *from, const char *to, unsigned flags) {
    return flags ? -EINVAL : DONE(rename(AT(from), AT(to)));
}

static int fs_statfs(const char *path, struct statvfs *status) { return DONE(statvfs(AT(path), status)); }
static int fs_mkdir(const char *path, mode_t mode) { return DONE(mkdir(AT(path), mode)); }
static int fs_unlink(const char *path) { return DONE(unlink(AT(path))); }
static int fs_rmdir(const char *path) { return DONE(rmdir(AT(path))); }

static const struct fuse_operations operations = {
    .getattr = fs_getattr, .readdir = fs_readdir, .open = fs_open,         .create = fs_create, .read = fs_read,
    .write = fs_write,     .release = fs_release, .fsync = fs_fsync,       .truncate = fs_truncate,
    .utimens = fs_utimens, .chmod = fs_chmod,     .rename = fs_rename,     .statfs = fs_statfs, .mkdir = fs_mkdir,
    .unlink = fs_unlink,   .rmdir = fs_rmdir,
};

static int is_knob(const char *word) {
    for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++) {
        size_t length = strlen(knobs[i].name);
        if (!strncmp(word, "--", 2) && !strncmp(word + 2, knobs[i].name, length) && word[2 + length] == '=') {
            knobs[i].value = atol(word + 3 + length);
            return 1;
        }
    }
    return 0;
}

int main(int count, char **words) {
    if (count < 3 || !realpath(words[1], folder)) {
        fprintf(stderr, "usage: plainfs FOLDER [--NAME=VALUE ...] MOUNTPOINT [libfuse options]\n");
        return 2;
    }
    struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);
    fuse_opt_add_arg(&arguments, words[0]);
    for (int i = 2; i < count; i++)
        if (!is_knob(words[i])) fuse_opt_add_arg(&arguments, words[i]);
    struct fuse_cmdline_opts options;
    if (fuse_parse_cmdline(&arguments, &options) || !options.mountpoint) return 2;
    if (KNOB(LOSE)) rmdir(folder);
    struct fuse *fuse = fuse_new(&arguments, &operations, sizeof operations, NULL);
    if (!fuse || fuse_mount(fuse, options.mountpoint)) return 1;
    if (!options.foreground && fuse_daemonize(0)) return 1;
    fuse_set_signal_handlers(fuse_get_session(fuse));
    if (KNOB(HOLD)) hold_memory(KNOB(HOLD));
    start_workers();
    int status = options.singlethread ? fuse_loop(fuse) : fuse_loop_mt_31(fuse, 0);
    fuse_unmount(fuse);
    fuse_destroy(fuse);
    return status != 0;
}
