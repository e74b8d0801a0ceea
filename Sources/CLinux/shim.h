#ifndef TICKLOOP_CLINUX_SHIM_H
#define TICKLOOP_CLINUX_SHIM_H

// Linux calls that Swift's Glibc module leaves out, because it is built without _GNU_SOURCE.

#include <sys/socket.h>

extern int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);

/// accept4(2) without the address: non-blocking and closed on exec in the same call.
static inline int clinux_accept_nonblocking(int listener) {
    return accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

#endif
