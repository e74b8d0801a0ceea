// Shows a process another time of day than there is: preloaded (ld.so(8)), it takes the place of the C library's
// clock_gettime and adds WRONG_CLOCK_SECONDS to CLOCK_REALTIME. What deadlines and ages are counted in is as it was.

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *moment) {
    int status = (int)syscall(SYS_clock_gettime, clock, moment);
    const char *seconds = getenv("WRONG_CLOCK_SECONDS");
    if (status == 0 && clock == CLOCK_REALTIME && seconds) moment->tv_sec += atol(seconds);
    return status;
}
