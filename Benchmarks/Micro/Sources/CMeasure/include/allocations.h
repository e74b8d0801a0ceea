// Counts what one thread of the process asks of the heap.
//
// malloc and its relatives are defined here and thereby replace the C library's for the whole program: the Swift
// runtime's allocations are counted as well as those of libev, libpq and hiredis. They pass on to the C library.

#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What the counted thread has asked for. A realloc is a call too.
struct allocation_totals {
    uint64_t calls;
    uint64_t bytes;
};

/// Makes the calling thread the counted one; once per process.
void allocations_count_this_thread(void);

/// May be called on any thread; exact while the counted thread waits.
struct allocation_totals allocations_so_far(void);

/// CPU time of the counted thread, in the kernel too.
uint64_t allocations_thread_nanoseconds(void);

/// Whether the counted thread sleeps in a system call.
bool allocations_thread_waits(void);

enum { allocation_stack_depth = 40 };

/// Who made one call: return addresses, innermost first.
struct allocation_stack {
    size_t bytes;
    size_t depth;
    uintptr_t callers[allocation_stack_depth];
};

/// From now on the stack of each call on the counted thread is kept, up to `capacity`. While it waits only.
void allocations_trace(struct allocation_stack *stacks, size_t capacity);

/// Ends the trace and returns how many stacks were kept. While it waits only.
size_t allocations_trace_end(void);

/// Where the program lies in memory: addresses in it less this are offsets into its file.
uintptr_t allocations_program_base(void);

/// The function of a shared library that an address is in, or the library if it does not say; NULL in the program.
const char *allocations_library_function(uintptr_t address);

#endif
