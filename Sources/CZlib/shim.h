#ifndef TICKLOOP_CZLIB_SHIM_H
#define TICKLOOP_CZLIB_SHIM_H

#include <zlib.h>

/// deflateInit2() is a macro: here for streams in the gzip format, which is what 16 more bits of window mean.
static inline int czlib_gzip_init(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/// The same for reading them.
static inline int czlib_gunzip_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

#endif
