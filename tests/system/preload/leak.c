/*
 * Makes nightdesk leak a secret, so that a test can see whether it is noticed; for LD_PRELOAD:
 *
 *     LEAK=log LEAK_FILE=FILE LD_PRELOAD=leak.so nightdesk run ...
 *
 * FILE holds the secret. LEAK is the place: log (a line), child (the environment of every child),
 * or database (the texts that name a run).
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLES_MAX 256

static char secret[128];

static bool leaks(const char *place)
{
    const char *wanted = getenv("LEAK");
    return secret[0] != '\0' && wanted != NULL && strcmp(wanted, place) == 0;
}

__attribute__((constructor)) static void start(void)
{
    const char *name = getenv("LEAK_FILE");
    FILE *file = name == NULL ? NULL : fopen(name, "re");
    if (file != NULL) {
        (void)fscanf(file, "%127s", secret);
        (void)fclose(file);
    }
    if (leaks("log")) {
        (void)dprintf(STDERR_FILENO, "DEBUG asking with the key %s\n", secret);
    }
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    int (*real)(const char *, char *const[], char *const[]) = NULL;
    char variable[256], *env[VARIABLES_MAX + 2];
    size_t count = 0;
    *(void **)&real = dlsym(RTLD_NEXT, "execve");
    for (; envp[count] != NULL && count < VARIABLES_MAX; count++) {
        env[count] = envp[count];
    }
    if (leaks("child")) {
        (void)snprintf(variable, sizeof(variable), "LEAKED=%s", secret);
        env[count++] = variable;
    }
    env[count] = NULL;
    return real(path, argv, env);
}

int sqlite3_bind_text64(void *stmt, int index, const char *text, unsigned long long size,
                        void (*destroy)(void *), unsigned char encoding);

int sqlite3_bind_text64(void *stmt, int index, const char *text, unsigned long long size,
                        void (*destroy)(void *), unsigned char encoding)
{
    int (*real)(void *, int, const char *, unsigned long long, void (*)(void *), unsigned char) =
        NULL;
    char leaking[512];
    *(void **)&real = dlsym(RTLD_NEXT, "sqlite3_bind_text64");
    if (leaks("database") && size > 4 && size < 256 && memcmp(text, "run ", 4) == 0) {
        int n = snprintf(leaking, sizeof(leaking), "%.*s %s", (int)size, text, secret);
        return real(stmt, index, leaking, (unsigned long long)n, (void (*)(void *)) - 1, encoding);
    }
    return real(stmt, index, text, size, destroy, encoding);
}
