#include "oom/oom.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/*
 * The executable's malloc replaces that of every shared library, libc included. The real one is
 * AddressSanitizer's, under the name that it exports for this purpose, or glibc's.
 */
#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
void __sanitizer_print_stack_trace(void);
int REAL(pthread_create)(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
                         void *arg);
#else
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *block, size_t size);
void *REAL(memalign)(size_t alignment, size_t size);
void REAL(free)(void *block);

static struct oom_plan plan;
static atomic_bool armed;
static atomic_long live;
#define OWN _Thread_local __attribute__((tls_model("initial-exec")))
static OWN bool is_this_thread; /* the one that called oom_arm */
static OWN bool is_started;     /* runs its function, not the sanitizer's code before it */
static uintptr_t linker_from, linker_to;

static int find_linker(struct dl_phdr_info *info, size_t size, void *userdata)
{
    (void)size;
    (void)userdata;
    if (strstr(info->dlpi_name, "/ld-") == NULL) {
        return 0;
    }
    linker_from = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        linker_to = end > linker_to ? end : linker_to;
    }
    return 1;
}

void oom_arm(const struct oom_plan *next)
{
    if (linker_to == 0) {
        (void)dl_iterate_phdr(find_linker, NULL);
    }
    plan = *next;
    is_this_thread = true;
    __atomic_store_n(plan.counted, 0, __ATOMIC_SEQ_CST);
    atomic_store(&armed, true);
}

size_t oom_disarm(void)
{
    atomic_store(&armed, false);
    return __atomic_load_n(plan.counted, __ATOMIC_SEQ_CST);
}

long oom_live(void)
{
    return atomic_load(&live);
}

/* Whether this allocation is to fail. The dynamic linker ends the process when it gets no memory
 * for a thread's variables, and no program can change that. */
static bool fails(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    if (!atomic_load(&armed) || !(plan.which == OOM_THIS_THREAD ? is_this_thread : is_started) ||
        (at >= linker_from && at < linker_to)) {
        return false;
    }
    size_t number = __atomic_add_fetch(plan.counted, 1, __ATOMIC_SEQ_CST);
    if (plan.fail_at == 0 || number < plan.fail_at ||
        (number > plan.fail_at && !plan.and_all_later)) {
        return false;
    }
    if (plan.trace && number == plan.fail_at) {
#ifdef __SANITIZE_ADDRESS__
        atomic_store(&armed, false);
        __sanitizer_print_stack_trace();
        atomic_store(&armed, true);
#endif
    }
    if (number == plan.fail_at) {
        plan.callers[0] = caller;
    }
    plan.callers[1] = caller;
    errno = ENOMEM;
    return true;
}
#define FAILS() fails(__builtin_return_address(0))

static void *count_block(void *block)
{
    if (block != NULL) {
        atomic_fetch_add(&live, 1);
    }
    return block;
}

void *malloc(size_t size)
{
    return FAILS() ? NULL : count_block(REAL(malloc)(size));
}

void *calloc(size_t count, size_t size)
{
    return FAILS() ? NULL : count_block(REAL(calloc)(count, size));
}

static void *resize(void *block, size_t size)
{
    void *moved = REAL(realloc)(block, size);
    if (block == NULL) {
        return count_block(moved);
    }
    if (moved == NULL && size == 0) {
        atomic_fetch_sub(&live, 1);
    }
    return moved;
}

/* A call that only frees or shrinks to nothing does not fail. */
void *realloc(void *block, size_t size)
{
    return size > 0 && FAILS() ? NULL : resize(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return bytes > 0 && FAILS() ? NULL : resize(block, bytes);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    return FAILS() ? NULL : count_block(REAL(memalign)(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return FAILS() ? NULL : count_block(REAL(memalign)(alignment, size));
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    if (FAILS()) {
        return ENOMEM;
    }
    void *block = count_block(REAL(memalign)(alignment, size));
    if (block == NULL) {
        return ENOMEM;
    }
    *ret = block;
    return 0;
}

void free(void *block)
{
    if (block != NULL) {
        atomic_fetch_sub(&live, 1);
    }
    REAL(free)(block);
}

static char *copy(const char *text, size_t len, const void *caller)
{
    char *block = fails(caller) ? NULL : count_block(REAL(malloc)(len + 1));
    if (block != NULL) {
        memcpy(block, text, len);
        block[len] = '\0';
    }
    return block;
}

/* The compiler and AddressSanitizer know these two by name, so they do not reach malloc above. */
#undef strdup
#undef strndup
char *strdup(const char *text)
{
    return copy(text, strlen(text), __builtin_return_address(0));
}

char *strndup(const char *text, size_t max)
{
    return copy(text, strnlen(text, max), __builtin_return_address(0));
}

/* ---- threads ---- */

#ifdef __SANITIZE_ADDRESS__
enum { THREADS_MAX = 64 };
static struct start {
    void *(*fn)(void *);
    void *arg;
} starts[THREADS_MAX];
static atomic_size_t start_count;

static void *run_thread(void *userdata)
{
    const struct start *start = userdata;
    is_started = true;
    void *result = start->fn(start->arg);
    is_started = false;
    return result;
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    size_t at = atomic_fetch_add(&start_count, 1);
    if (at >= THREADS_MAX) {
        return EAGAIN;
    }
    starts[at] = (struct start){fn, arg};
    return REAL(pthread_create)(ret, attr, run_thread, &starts[at]);
}
#endif
