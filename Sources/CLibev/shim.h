#ifndef TICKLOOP_CLIBEV_SHIM_H
#define TICKLOOP_CLIBEV_SHIM_H

// libev's initialisers and accessors are macros, which Swift does not import.
// One `static inline` wrapper each, and nothing else.

#include <ev.h>

static inline void clibev_io_init(ev_io *watcher, void (*callback)(struct ev_loop *, ev_io *, int), int fd, int events) {
    ev_io_init(watcher, callback, fd, events);
}
static inline void clibev_io_set(ev_io *watcher, int fd, int events) { ev_io_set(watcher, fd, events); }

static inline void clibev_timer_init(ev_timer *watcher, void (*callback)(struct ev_loop *, ev_timer *, int)) {
    ev_timer_init(watcher, callback, 0., 0.);
}
static inline void clibev_timer_set(ev_timer *watcher, double after, double repeat) { ev_timer_set(watcher, after, repeat); }

static inline void clibev_signal_init(ev_signal *watcher, void (*callback)(struct ev_loop *, ev_signal *, int), int number) {
    ev_signal_init(watcher, callback, number);
}
static inline void clibev_async_init(ev_async *watcher, void (*callback)(struct ev_loop *, ev_async *, int)) {
    ev_async_init(watcher, callback);
}
static inline void clibev_prepare_init(ev_prepare *watcher, void (*callback)(struct ev_loop *, ev_prepare *, int)) {
    ev_prepare_init(watcher, callback);
}
static inline void clibev_check_init(ev_check *watcher, void (*callback)(struct ev_loop *, ev_check *, int)) {
    ev_check_init(watcher, callback);
}
static inline void clibev_idle_init(ev_idle *watcher, void (*callback)(struct ev_loop *, ev_idle *, int)) {
    ev_idle_init(watcher, callback);
}
static inline void clibev_set_lowest_priority(void *watcher) { ev_set_priority((ev_watcher *)watcher, EV_MINPRI); }
static inline void clibev_set_highest_priority(void *watcher) { ev_set_priority((ev_watcher *)watcher, EV_MAXPRI); }
static inline int clibev_is_active(const void *watcher) { return ev_is_active((const ev_watcher *)watcher); }

#endif
