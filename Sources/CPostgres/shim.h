#ifndef TICKLOOP_CPOSTGRES_SHIM_H
#define TICKLOOP_CPOSTGRES_SHIM_H

#include <postgresql/libpq-fe.h>

#endif
