/* A filesystem in C that passes everything on to a folder, and does on request what strangers' filesystems do.
 *
 * Usage: plainfs FOLDER [--NAME=VALUE ...] MOUNTPOINT [libfuse options]
 * Nothing here knows of fuselab. Each cost is one function that nothing inlines, so that a profile can be held against
 * what was planted:
 *
 *   burn-us=N         every write burns N us of CPU in burn_cpu (which reads the clock, as code with timers does)
 *   sleep-us=N        every write waits N us in wait_asleep
 *   cpu-us=N          every write uses N us of CPU, by the thread's own clock, in use_cpu
 *   lock-us=N         every write waits for one lock in wait_for_lock, and keeps it for N us, asleep in keep_lock
 *   later-us=N        every write is put aside by the thread that read it, and done and answered by another one N us later
 *   behind-us=N       every write is answered at once, and a thread of its own uses N us of CPU for it whenever it can, in
 *                     work_behind, as write-back and uploads do
 *   large-kib=N       writes of less than N KiB are spared by sleep-us and later-us
 *   hold-mib=N        the server allocates N MiB once, in hold_memory, and keeps them
 *   workers=N         N processes are forked before the first request; they inherit /dev/fuse, and each write is handed to one
 *   worker-burn-us=N  ... which burns N us of CPU in worker_burn
 *   worker-hold-mib=N ... and keeps N MiB, allocated in worker_hold
 *   detached=1        the workers leave the family: their parent is the first process of the machine, as sshfs's are
 *   fail-every=N      every Nth write ends with EIO
 *   corrupt-every=N   every Nth write stores its first byte wrong
 *   hang-at=N         the Nth write is never answered: its thread sleeps in hang_for_ever
 *   hang-reads=N      the same for the Nth read
 *   create-us=N       every file that is made waits N us in wait_asleep
 *   getattr-us=N      every question for attributes (each lookup of a name is one) waits N us there
 *   lose-root=1       FOLDER (which is empty) is removed before the mount
 *   more-pwrites=N    every write of the kernel's is followed by N more pwrite(2) of one byte
 *   sync-every=N      every Nth write is followed by an fsync(2)
 *   tell=1            from the start on and after every write FOLDER/.counters says, in lines of `name value`, how many writes and bytes there were
 *   max-background=N  the kernel is told to have no more than N requests on their way that nobody waits for
 *   upload-us=N       a file that was written and closed is copied to the folder $PLAINFS_STORE by one thread, N us after the one
 *                     before it; the unmount waits for none of them. At the start FOLDER is given what it lacks from there.
 *                     With tell, how many are on their way is a line `uploads` more
 *   splice=1          requests are read from /dev/fuse by splice(2)
 *   die-at=N          the process ends itself by SIGSEGV in the Nth write
 *
 * With PLAINFS_TRACE=FILE in its environment the pwrite(2) of every write is a span `write` in that file, in Chrome's trace
 * format: of what a write costs, nothing else is in it, as where spans stand in the wrong function.
 *
 * When it ends it says on standard error what its own clocks counted: "planted: asleep_ns=N lock_ns=N cpu_ns=N later_ns=N".
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <fuse3/fuse_lowlevel.h>
#include <limits.h>
#include <linux/fuse.h>
#include <pthread.h>
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
    {"more-pwrites", 0}, {"sync-every", 0}, {"tell", 0},
    {"create-us", 0}, {"getattr-us", 0}, {"cpu-us", 0}, {"lock-us", 0}, {"max-background", 0}, {"splice", 0},
    {"later-us", 0}, {"large-kib", 0}, {"upload-us", 0}, {"behind-us", 0},
};
enum {
    BURN, SLEEP, HOLD, COUNT, WORKER_BURN, WORKER_HOLD, DETACHED, FAIL, CORRUPT, HANG, HANG_READS, DIE, LOSE, MORE, SYNC, TELL,
    CREATE, GETATTR, CPU, LOCK, BACKGROUND, SPLICE, LATER, LARGE, UPLOAD, BEHIND,
};
#define KNOB(which) (knobs[which].value)

static char folder[PATH_MAX];
static int workers[WORKERS];
static long writes, reads, bytes_written;
static long asleep_ns, lock_ns, cpu_ns, later_ns;
static pthread_mutex_t the_lock = PTHREAD_MUTEX_INITIALIZER;

static long now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long now_us(void) { return now_ns(CLOCK_MONOTONIC) / 1000; }

static void took(long *sum, clockid_t clock, long since_ns) { __sync_add_and_fetch(sum, now_ns(clock) - since_ns); }

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

APART void use_cpu(long us) {
    long begun = now_ns(CLOCK_THREAD_CPUTIME_ID);
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) < begun + us * 1000) {
    }
    took(&cpu_ns, CLOCK_THREAD_CPUTIME_ID, begun);
}

static long owed;
static pthread_mutex_t owing = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t owes = PTHREAD_COND_INITIALIZER;

static void owe(void) {
    pthread_mutex_lock(&owing);
    owed++;
    pthread_cond_signal(&owes);
    pthread_mutex_unlock(&owing);
}

APART void *work_behind(void *unused) {
    for (;;) {
        pthread_mutex_lock(&owing);
        while (!owed) pthread_cond_wait(&owes, &owing);
        owed--;
        pthread_mutex_unlock(&owing);
        use_cpu(KNOB(BEHIND));
    }
    return unused;
}

APART void wait_asleep(long us) {
    long begun = now_ns(CLOCK_MONOTONIC);
    usleep(us);
    took(&asleep_ns, CLOCK_MONOTONIC, begun);
}

static int large(size_t bytes) { return bytes >= (size_t)KNOB(LARGE) << 10; }

APART void wait_for_lock(void) {
    long begun = now_ns(CLOCK_MONOTONIC);
    pthread_mutex_lock(&the_lock);
    took(&lock_ns, CLOCK_MONOTONIC, begun);
}

APART void keep_lock(long us) {
    wait_asleep(us);
    pthread_mutex_unlock(&the_lock);
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

static FILE *trace;

static void span_of_write(long number, const char *edge) {
    if (trace)
        fprintf(trace, "{\"ph\":\"%s\",\"pid\":1,\"tid\":1,\"id\":%ld,\"ts\":%.3f,\"name\":\"write\",\"cat\":\"plainfs\"},\n", edge,
                number, now_ns(CLOCK_MONOTONIC) / 1e3);
}

static const char *below(const char *path, char *place) {
    snprintf(place, PATH_MAX, "%s%s", folder, path);
    return place;
}

#define AT(path) below(path, (char[PATH_MAX]){0})
#define DONE(call) ((call) < 0 ? -errno : 0)

static int fs_getattr(const char *path, struct stat *status, struct fuse_file_info *file) {
    (void)file;
    if (KNOB(GETATTR)) wait_asleep(KNOB(GETATTR));
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
    if (KNOB(CREATE)) wait_asleep(KNOB(CREATE));
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

static long uploads;

/* One pwrite of one size, so that whoever reads meanwhile finds whole lines. */
static void tell(void) {
    static int counters = -1;
    char text[160];
    int size = snprintf(text, sizeof text, "writes    %20ld\nbytes     %20ld\nlast_kind      write\n", writes, bytes_written);
    if (KNOB(UPLOAD)) size += snprintf(text + size, sizeof text - size, "uploads   %20ld\n", uploads);
    if (counters < 0) counters = open(AT("/.counters"), O_WRONLY | O_CREAT, 0644);
    if (pwrite(counters, text, size, 0) != size) exit(6);
}

static int fs_write(const char *path, const char *from, size_t size, off_t offset, struct fuse_file_info *file) {
    (void)path;
    long number = __sync_add_and_fetch(&writes, 1);
    if (number == KNOB(HANG)) hang_for_ever();
    if (number == KNOB(DIE)) raise(SIGSEGV);
    if (KNOB(FAIL) && number % KNOB(FAIL) == 0) return -EIO;
    if (KNOB(BURN)) burn_cpu(KNOB(BURN));
    if (KNOB(CPU)) use_cpu(KNOB(CPU));
    if (KNOB(BEHIND)) owe();
    if (KNOB(SLEEP) && large(size)) wait_asleep(KNOB(SLEEP));
    if (KNOB(LOCK)) wait_for_lock(), keep_lock(KNOB(LOCK));
    if (KNOB(COUNT)) hand_over(number);
    span_of_write(number, "b");
    ssize_t put = pwrite(file->fh, from, size, offset);
    span_of_write(number, "e");
    if (put > 0 && KNOB(CORRUPT) && number % KNOB(CORRUPT) == 0) {
        char wrong = ~from[0];
        if (pwrite(file->fh, &wrong, 1, offset) != 1) return -EIO;
    }
    for (long more = 0; put > 0 && more < KNOB(MORE); more++)
        if (pwrite(file->fh, from, 1, offset) != 1) return -EIO;
    if (put > 0 && KNOB(SYNC) && number % KNOB(SYNC) == 0 && fsync(file->fh)) return -EIO;
    if (put > 0) __sync_add_and_fetch(&bytes_written, put);
    if (KNOB(TELL)) tell();
    return put < 0 ? -errno : (int)put;
}

static void copy(const char *from, const char *to) {
    char part[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    for (ssize_t got; (got = read(in, part, sizeof part)) > 0;)
        if (write(out, part, got) != got) exit(7);
    close(in), close(out);
}

static void copy_between(const char *from, const char *to, const char *name) {
    char here[PATH_MAX], there[PATH_MAX];
    snprintf(here, sizeof here, "%s/%s", from, name);
    snprintf(there, sizeof there, "%s/%s", to, name);
    copy(here, there);
}

static void fetch_all(void) {
    DIR *open = opendir(getenv("PLAINFS_STORE"));
    for (struct dirent *entry; open && (entry = readdir(open));)
        if (entry->d_type == DT_REG) copy_between(getenv("PLAINFS_STORE"), folder, entry->d_name);
    if (open) closedir(open);
}

static pthread_mutex_t uploading = PTHREAD_MUTEX_INITIALIZER;

APART void *upload(void *name) {
    pthread_mutex_lock(&uploading);
    usleep(KNOB(UPLOAD));
    copy_between(folder, getenv("PLAINFS_STORE"), name);
    __sync_sub_and_fetch(&uploads, 1);
    if (KNOB(TELL)) tell();
    pthread_mutex_unlock(&uploading);
    free(name);
    return NULL;
}

static void upload_later(const char *path) {
    pthread_t thread;
    __sync_add_and_fetch(&uploads, 1);
    if (KNOB(TELL)) tell();
    pthread_create(&thread, NULL, upload, strdup(path + 1));
    pthread_detach(thread);
}

static int fs_release(const char *path, struct fuse_file_info *file) {
    if (KNOB(UPLOAD) && (file->flags & O_ACCMODE) != O_RDONLY) upload_later(path);
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

static void *fs_init(struct fuse_conn_info *connection, struct fuse_config *config) {
    (void)config;
    if (KNOB(BACKGROUND)) connection->max_background = KNOB(BACKGROUND);
    if (KNOB(SPLICE)) {
        connection->want |= FUSE_CAP_SPLICE_READ;
        connection->max_write = 1 << 16; /* or a request would not fit into a pipe */
    }
    return NULL;
}

static const struct fuse_operations operations = {
    .init = fs_init,
    .getattr = fs_getattr, .readdir = fs_readdir, .open = fs_open,         .create = fs_create, .read = fs_read,
    .write = fs_write,     .release = fs_release, .fsync = fs_fsync,       .truncate = fs_truncate,
    .utimens = fs_utimens, .chmod = fs_chmod,     .rename = fs_rename,     .statfs = fs_statfs, .mkdir = fs_mkdir,
    .unlink = fs_unlink,   .rmdir = fs_rmdir,
};

struct later {
    struct fuse_buf request;
    long since_ns;
    struct later *next;
};
static struct later *first, **last = &first;
static pthread_mutex_t aside = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

static void put_aside(struct fuse_buf request) {
    struct later *put = malloc(sizeof *put);
    *put = (struct later){request, now_ns(CLOCK_MONOTONIC), NULL};
    pthread_mutex_lock(&aside);
    *last = put;
    last = &put->next;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&aside);
}

static struct later *oldest(void) {
    pthread_mutex_lock(&aside);
    while (!first) pthread_cond_wait(&more, &aside);
    struct later *found = first;
    if (!(first = found->next)) last = &first;
    pthread_mutex_unlock(&aside);
    return found;
}

APART void *answer_later(void *session) {
    for (;;) {
        struct later *due = oldest();
        long at_ns = due->since_ns + KNOB(LATER) * 1000;
        struct timespec at = {at_ns / 1000000000L, at_ns % 1000000000L};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        took(&later_ns, CLOCK_MONOTONIC, due->since_ns);
        fuse_session_process_buf(session, &due->request);
        free(due->request.mem);
        free(due);
    }
}

/* libfuse's loop of one thread, which does not wait for writes. */
static int loop_with_later(struct fuse_session *session) {
    pthread_t thread;
    pthread_create(&thread, NULL, answer_later, session);
    while (!fuse_session_exited(session)) {
        struct fuse_buf request = {0};
        int got = fuse_session_receive_buf(session, &request);
        if (got == -EINTR) continue;
        if (got <= 0) return got;
        if (((struct fuse_in_header *)request.mem)->opcode == FUSE_WRITE && large(got)) {
            put_aside(request);
            continue;
        }
        fuse_session_process_buf(session, &request);
        free(request.mem);
    }
    return 0;
}

static int loop(struct fuse *fuse, int one_thread) {
    if (KNOB(LATER)) return loop_with_later(fuse_get_session(fuse));
    return one_thread ? fuse_loop(fuse) : fuse_loop_mt_31(fuse, 0);
}

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
    if (KNOB(UPLOAD)) fetch_all();
    struct fuse *fuse = fuse_new(&arguments, &operations, sizeof operations, NULL);
    if (!fuse || fuse_mount(fuse, options.mountpoint)) return 1;
    if (!options.foreground && fuse_daemonize(0)) return 1;
    fuse_set_signal_handlers(fuse_get_session(fuse));
    if (KNOB(HOLD)) hold_memory(KNOB(HOLD));
    start_workers();
    pthread_t behind;
    if (KNOB(BEHIND)) pthread_create(&behind, NULL, work_behind, NULL);
    if (KNOB(TELL)) tell();
    if (getenv("PLAINFS_TRACE") && (trace = fopen(getenv("PLAINFS_TRACE"), "w"))) fprintf(trace, "[\n");
    int status = loop(fuse, options.singlethread);
    fuse_unmount(fuse);
    fuse_destroy(fuse);
    if (trace) fprintf(trace, "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"plainfs\"}}\n]\n"), fclose(trace);
    fprintf(stderr, "planted: asleep_ns=%ld lock_ns=%ld cpu_ns=%ld later_ns=%ld\n", asleep_ns, lock_ns, cpu_ns, later_ns);
    return status != 0;
}
