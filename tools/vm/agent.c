// SPDX-License-Identifier: BSD-2-Clause
// The lab's hand inside a guest: process 1 after init. Runs what the host asks for over a virtio-serial port and sends
// back output and exit status, in frames, so that neither the kernel's messages nor binary output can be mistaken for
// anything else. The other side is channel.py.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_jobs = 64, chunk = 30000, most_drained = 1 << 20 };

// From the host: start (word: 1 = standard error goes where standard output goes; arguments, each with a NUL), signal a
// job's process group (word: the signal), write a file (word: its mode; path, NUL, contents), power off.
// To the host: ready, standard output, standard error, and the exit status (word) of a job or a written file's errno.
struct frame {
    uint32_t kind, job, word, length;
};

struct job {
    uint32_t id;
    pid_t pid; // 0: the slot is free
    int out, err, is_done, status;
};

static int control;
static struct job jobs[most_jobs];

static _Noreturn void stop(const char* why) {
    if (why) fprintf(stderr, "lab agent: %s: %s\n", why, strerror(errno));
    sync();
    reboot(RB_POWER_OFF);
    for (;;) pause();
}

static void send_all(const void* bytes, size_t length) {
    const char* at = bytes;
    while (length > 0) {
        ssize_t sent = write(control, at, length);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) stop("the host does not listen");
        at += sent;
        length -= (size_t)sent;
    }
}

static void send_word(char kind, uint32_t job, uint32_t word) {
    struct frame frame = {(uint32_t)kind, job, word, 0};
    send_all(&frame, sizeof frame);
}

static void receive_all(void* bytes, size_t length) {
    char* at = bytes;
    while (length > 0) {
        ssize_t got = read(control, at, length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) stop(NULL); // the host is gone
        at += got;
        length -= (size_t)got;
    }
}

// Passes on what can be read now, at most `most` bytes of it, and closes the pipe at its end.
static void relay(const struct job* job, int* pipe_end, char kind, size_t most) {
    static struct {
        struct frame frame;
        char bytes[chunk];
    } message;
    while (*pipe_end >= 0 && most > 0) {
        ssize_t got = read(*pipe_end, message.bytes, sizeof message.bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            close(*pipe_end);
            *pipe_end = -1;
            return;
        }
        message.frame = (struct frame){(uint32_t)kind, job->id, 0, (uint32_t)got};
        send_all(&message, sizeof message.frame + (size_t)got);
        most = most > (size_t)got ? most - (size_t)got : 0;
    }
}

static _Noreturn void become(char** arguments, int out, int err) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out, 1);
    dup2(err, 2);
    execvp(arguments[0], arguments);
    int status = errno == ENOENT ? 127 : 126;
    fprintf(stderr, "%s: %s\n", arguments[0], status == 127 ? "command not found in the guest" : strerror(errno));
    fflush(stderr);
    _exit(status);
}

static void start(const struct frame* frame, char* payload) {
    char* arguments[512];
    size_t count = 0;
    for (char* at = payload; at < payload + frame->length && count < 511; at += strlen(at) + 1) arguments[count++] = at;
    arguments[count] = NULL;
    struct job* job = jobs;
    while (job < jobs + most_jobs && job->pid != 0) job++;
    int out[2], err[2] = {-1, -1};
    if (count == 0 || job == jobs + most_jobs || pipe2(out, O_CLOEXEC) != 0 ||
        (frame->word == 0 && pipe2(err, O_CLOEXEC) != 0)) {
        send_word('X', frame->job, 126);
        return;
    }
    pid_t pid = fork();
    if (pid == 0) become(arguments, out[1], frame->word == 0 ? err[1] : out[1]);
    close(out[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    if (frame->word == 0) {
        close(err[1]);
        fcntl(err[0], F_SETFL, O_NONBLOCK);
    }
    *job = (struct job){frame->job, pid, out[0], err[0], 0, 0};
}

static void write_file(const struct frame* frame, char* payload) {
    for (char* slash = strchr(payload + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(payload, 0755);
        *slash = '/';
    }
    const char* at = payload + strlen(payload) + 1;
    const char* end = payload + frame->length;
    int error = 0, file = open(payload, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (file >= 0 && at < end) {
        ssize_t written = write(file, at, (size_t)(end - at));
        if (written <= 0) break;
        at += written;
    }
    if (file < 0 || at < end || fchmod(file, frame->word) != 0) error = errno;
    if (file >= 0) close(file);
    send_word('X', frame->job, (uint32_t)error);
}

static void obey(void) {
    struct frame frame;
    receive_all(&frame, sizeof frame);
    char* payload = malloc((size_t)frame.length + 1);
    if (!payload) stop("memory");
    receive_all(payload, frame.length);
    payload[frame.length] = 0;
    if (frame.kind == 'S') start(&frame, payload);
    if (frame.kind == 'W') write_file(&frame, payload);
    for (struct job* job = jobs; frame.kind == 'K' && job < jobs + most_jobs; job++) {
        if (job->pid > 0 && job->id == frame.job && !job->is_done) kill(-job->pid, (int)frame.word);
    }
    if (frame.kind == 'Q') stop(NULL);
    free(payload);
}

// A job's status follows all that it wrote; what it left running may go on writing.
static void reap(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (struct job* job = jobs; job < jobs + most_jobs; job++) {
            if (job->pid != pid || job->is_done) continue;
            relay(job, &job->out, 'O', most_drained);
            relay(job, &job->err, 'E', most_drained);
            job->is_done = 1;
            send_word('X', job->id, (uint32_t)(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)));
        }
    }
}

static void open_control(void) {
    struct timespec moment = {0, 1000000};
    for (int tries = 0; tries < 30000; tries++) { // the port appears a little after its driver was loaded
        DIR* folder = opendir("/sys/class/virtio-ports");
        for (struct dirent* entry; folder && (entry = readdir(folder));) {
            char path[300];
            snprintf(path, sizeof path, "/dev/%s", entry->d_name);
            if (entry->d_name[0] != '.' && (control = open(path, O_RDWR | O_CLOEXEC)) >= 0) {
                closedir(folder);
                return;
            }
        }
        if (folder) closedir(folder);
        nanosleep(&moment, NULL);
    }
    stop("no virtio-serial port");
}

int main(void) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    signal(SIGPIPE, SIG_IGN);
    int children = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    open_control();
    send_word('H', 0, 0);
    for (;;) {
        struct pollfd files[2 + 2 * most_jobs] = {{control, POLLIN, 0}, {children, POLLIN, 0}};
        for (int i = 0; i < most_jobs; i++) {
            struct job* job = &jobs[i];
            if (job->is_done && job->out < 0 && job->err < 0) job->pid = 0;
            files[2 + 2 * i] = (struct pollfd){job->pid ? job->out : -1, POLLIN, 0};
            files[3 + 2 * i] = (struct pollfd){job->pid ? job->err : -1, POLLIN, 0};
        }
        if (poll(files, 2 + 2 * most_jobs, -1) < 0 && errno != EINTR) stop("poll");
        for (int i = 0; i < most_jobs; i++) {
            if (files[2 + 2 * i].revents) relay(&jobs[i], &jobs[i].out, 'O', chunk);
            if (files[3 + 2 * i].revents) relay(&jobs[i], &jobs[i].err, 'E', chunk);
        }
        if (files[1].revents) {
            struct signalfd_siginfo ignored;
            while (read(children, &ignored, sizeof ignored) > 0) {}
            reap();
        }
        if (files[0].revents) obey();
    }
}
