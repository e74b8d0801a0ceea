#ifndef TICKLOOP_CLINUX_SHIM_H
#define TICKLOOP_CLINUX_SHIM_H

// Linux calls that Swift's Glibc module leaves out, because it is built without _GNU_SOURCE.

#include <fcntl.h>
#include <malloc.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);

/// accept4(2) without the address: non-blocking and closed on exec in the same call.
static inline int clinux_accept_nonblocking(int listener) {
    return accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

extern int pipe2(int descriptors[2], int flags);

/// pipe2(2): both ends closed on exec.
static inline int clinux_pipe(int descriptors[2]) { return pipe2(descriptors, O_CLOEXEC); }

extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

/// posix_spawn(3): reset the signal mask and all handlers, and start a session; `POSIX_SPAWN_SETSID` is 0x80.
static inline short clinux_spawn_flags_fresh_session(void) {
    return POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | 0x80;
}

/// pidfd_open(2): a descriptor that becomes readable when the process ends; closed on exec.
static inline int clinux_pidfd_open(int pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/// Collects the process behind a pidfd if it has ended.
///
/// Returns 1 and sets `code` (`CLD_EXITED` or a signal's) and `status` as waitid(2) reports them; 0 if it still runs;
/// -1 and `errno` if there is nothing to collect.
static inline int clinux_wait_pidfd(int pidfd, int *code, int *status) {
    siginfo_t info;
    info.si_pid = 0;
    if (waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED | WNOHANG) != 0) return -1;
    if (info.si_pid == 0) return 0;
    *code = info.si_code;
    *status = info.si_status;
    return 1;
}

/// The size of what `path` names, or -1.
static inline long clinux_size(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

/// The bytes that the program has allocated and not freed.
static inline size_t clinux_heap_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

#endif
