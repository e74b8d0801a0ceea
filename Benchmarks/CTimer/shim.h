#ifndef TICKLOOP_CTIMER_SHIM_H
#define TICKLOOP_CTIMER_SHIM_H

#include <sys/timerfd.h>
#include <time.h>

/// timerfd_create(2) and timerfd_settime(2), which Swift's Glibc module leaves out: a descriptor that becomes readable
/// at the end of each interval, at first after one. Returns -1 and sets `errno` on failure.
static inline int ctimer_start(long interval_nanoseconds) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0) return -1;
    struct timespec interval = {interval_nanoseconds / 1000000000, interval_nanoseconds % 1000000000};
    struct itimerspec setting = {interval, interval};
    return timerfd_settime(timer, 0, &setting, 0) == 0 ? timer : -1;
}

#endif
