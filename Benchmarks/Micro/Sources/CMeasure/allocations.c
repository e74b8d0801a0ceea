#include "allocations.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// The C library's own, under the names that it exports for those who replace the others.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

// Initial-exec: looking at it must not allocate.
static _Thread_local bool is_counted __attribute__((tls_model("initial-exec")));
static _Thread_local bool is_tracing __attribute__((tls_model("initial-exec")));

// Written by the counted thread only, so a load and a store are enough.
static _Atomic uint64_t calls;
static _Atomic uint64_t bytes;
static clockid_t clock_of_thread;
static pid_t id_of_thread;

static struct allocation_stack *_Atomic stacks;
static size_t stack_capacity;
static size_t stack_count;

static void add(_Atomic uint64_t *counter, uint64_t more) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static void keep_stack(size_t size) {
    struct allocation_stack *kept = atomic_load_explicit(&stacks, memory_order_acquire);
    // The unwinder may allocate.
    if (!kept || is_tracing || stack_count == stack_capacity) return;
    is_tracing = true;
    kept[stack_count].bytes = size;
    kept[stack_count].depth = (size_t)backtrace((void **)kept[stack_count].callers, allocation_stack_depth);
    stack_count++;
    is_tracing = false;
}

static void count(size_t size) {
    if (!is_counted) return;
    add(&calls, 1);
    add(&bytes, size);
    keep_stack(size);
}

// MARK: In the place of the C library's

void *malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(number * size);
    return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size) {
    count(size);
    return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    count(size);
    void *made = __libc_memalign(alignment, size);
    if (!made) return ENOMEM;
    *block = made;
    return 0;
}

// MARK: The counted thread

void allocations_count_this_thread(void) {
    id_of_thread = gettid();
    pthread_getcpuclockid(pthread_self(), &clock_of_thread);
    is_counted = true;
}

struct allocation_totals allocations_so_far(void) {
    return (struct allocation_totals){
        atomic_load_explicit(&calls, memory_order_relaxed),
        atomic_load_explicit(&bytes, memory_order_relaxed),
    };
}

uint64_t allocations_thread_nanoseconds(void) {
    struct timespec time;
    clock_gettime(clock_of_thread, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

bool allocations_thread_waits(void) {
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id_of_thread);
    int file = open(path, O_RDONLY);
    if (file < 0) return false;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return false;
    text[length] = 0;
    // proc(5): "ID (NAME) STATE …"; a name may hold parentheses.
    char *name_end = strrchr(text, ')');
    return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

// MARK: Tracing

void allocations_trace(struct allocation_stack *into, size_t capacity) {
    // The first call loads the unwinder, which allocates.
    void *caller[1];
    backtrace(caller, 1);
    stack_count = 0;
    stack_capacity = capacity;
    atomic_store_explicit(&stacks, into, memory_order_release);
}

size_t allocations_trace_end(void) {
    atomic_store_explicit(&stacks, NULL, memory_order_release);
    return stack_count;
}

uintptr_t allocations_program_base(void) {
    // The linker's name for the program's first byte.
    extern const char __ehdr_start;
    return (uintptr_t)&__ehdr_start;
}

const char *allocations_library_function(uintptr_t address) {
    Dl_info info;
    if (dladdr((void *)address, &info) == 0) return "?";
    if ((uintptr_t)info.dli_fbase == allocations_program_base()) return NULL;
    return info.dli_sname ? info.dli_sname : info.dli_fname;
}
