// Blocking Unix-domain sockets, for the other side of what is measured.

#ifndef SOCKETS_H
#define SOCKETS_H

/// Listens; returns a descriptor, or -1 with errno.
int measure_listen(const char *path);

/// Connects; returns a descriptor, or -1 with errno.
int measure_connect(const char *path);

#endif
