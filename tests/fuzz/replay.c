/*
 * Runs a fuzz target over its corpus as an ordinary test: each file, its prefixes (at most 512,
 * evenly spaced), and 64 seeded one-byte changes. Prints TAP.
 */
#include "base/rng.h"

#include <dirent.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, PREFIXES_MAX = 512, CHANGES = 64 };

/* A heap copy of exact size, so that AddressSanitizer detects a read past the end. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void replay(uint8_t *bytes, size_t size)
{
    run(bytes, size);
    const size_t step = size / PREFIXES_MAX + 1;
    for (size_t n = 0; n < size; n += step) {
        run(bytes, n);
    }
    struct rng rng;
    rng_init(&rng, size);
    for (int i = 0; i < CHANGES && size > 0; i++) {
        const size_t at = (size_t)rng_below(&rng, size);
        const uint8_t old = bytes[at];
        bytes[at] = (uint8_t)rng_below(&rng, 256);
        run(bytes, size);
        bytes[at] = old;
    }
}

/* Returns the number of files, or -1. */
static int replay_folder(const char *folder)
{
    static uint8_t bytes[INPUT_MAX];
    DIR *dir = opendir(folder);
    int count = 0;
    if (dir == NULL) {
        (void)printf("not ok 1 - cannot open the corpus %s\n", folder);
        return -1;
    }
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || e->d_type == DT_DIR) {
            continue;
        }
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        FILE *file = fopen(path, "rb");
        if (file == NULL) {
            continue;
        }
        const size_t size = fread(bytes, 1, sizeof(bytes), file);
        (void)fclose(file);
        replay(bytes, size);
        count++;
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER…\n", argv[0]);
        return 2;
    }
    int count = 0;
    for (int i = 1; i < argc; i++) {
        int more = replay_folder(argv[i]);
        if (more <= 0) { /* an empty corpus would test nothing */
            (void)printf("not ok 1 - no files in %s\n1..1\n", argv[i]);
            return 1;
        }
        count += more;
    }
    (void)printf("ok 1 - %d corpus files with their prefixes and changes\n1..1\n", count);
    return 0;
}
