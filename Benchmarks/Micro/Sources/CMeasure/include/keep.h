#ifndef KEEP_H
#define KEEP_H

/// Does nothing, which the optimizer cannot know: so it may not leave out how the value came to be.
void measure_keep(const void *value);

#endif
