#include "keep.h"

void measure_keep(const void *value) { (void)value; }
