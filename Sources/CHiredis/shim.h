#ifndef TICKLOOP_CHIREDIS_SHIM_H
#define TICKLOOP_CHIREDIS_SHIM_H

#include <sys/time.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>

// Exported by every version, and declared in the headers of later ones only: calls the callbacks of the replies that
// the reader holds.
void redisProcessCallbacks(redisAsyncContext *context);

// `sdslen` is `static inline` in hiredis/sds.h, behind macros that Swift does not import.
static inline size_t chiredis_unsent_bytes(const redisAsyncContext *context) { return sdslen(context->c.obuf); }

#endif
