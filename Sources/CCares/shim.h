#ifndef TICKLOOP_CCARES_SHIM_H
#define TICKLOOP_CCARES_SHIM_H

#include <ares.h>

#endif
