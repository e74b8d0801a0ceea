// Blocking sockets, for the other side of what is measured.

#ifndef SOCKETS_H
#define SOCKETS_H

/// Listens on a Unix-domain socket; returns a descriptor, or -1 with errno.
int measure_listen(const char *path);

/// Listens on a free port of the loopback; returns a descriptor, or -1 with errno.
int measure_listen_on_loopback(int *port);

/// Connects to a Unix-domain socket; returns a descriptor, or -1 with errno.
int measure_connect(const char *path);

#endif
