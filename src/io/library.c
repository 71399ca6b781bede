#include "library.h"

#include "base/check.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Returns the first function that the library lacks, or NULL. */
static const char *find_functions(void *handle, const struct library *library)
{
    for (size_t i = 0; i < library->function_count; i++) {
        const struct library_function *function = &library->functions[i];
        void *address = dlsym(handle, function->name);
        if (address == NULL) {
            return function->name;
        }
        /* ISO C has no cast from an object pointer to a function pointer; POSIX makes them alike.
         */
        memcpy(function->at, &address, sizeof(address));
    }
    return NULL;
}

static int load(const struct library *library, struct err *err)
{
    void *handle = NULL;
    for (size_t i = 0; i < LIBRARY_NAMES_MAX && library->names[i] != NULL && handle == NULL; i++) {
        handle = dlopen(library->names[i], RTLD_NOW | RTLD_LOCAL);
    }
    if (handle == NULL) {
        return err_set(err, library->error, "%.160s; package %s", dlerror(), library->package);
    }
    const char *missing = find_functions(handle, library);
    if (missing != NULL) {
        (void)dlclose(handle);
        return err_set(err, library->error, "the library lacks %s; package %s", missing,
                       library->package);
    }
    return 0;
}

int library_load(struct library *library, struct err *err)
{
    if (atomic_load_explicit(&library->ready, memory_order_acquire)) {
        return 0;
    }
    (void)pthread_mutex_lock(&mutex);
    int rc = 0;
    if (!atomic_load_explicit(&library->ready, memory_order_relaxed)) {
        rc = load(library, err);
        atomic_store_explicit(&library->ready, rc == 0, memory_order_release);
    }
    (void)pthread_mutex_unlock(&mutex);
    return rc;
}
