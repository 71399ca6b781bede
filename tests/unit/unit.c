#include "unit/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
/* fontconfig never frees its cache of the machine's fonts. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig";
}
#endif

static struct unit_group *groups;

void unit_register(struct unit_group *group)
{
    /* Constructors run in link order; keep that order so that the output is stable. */
    struct unit_group **slot = &groups;
    while (*slot != NULL) {
        slot = &(*slot)->next;
    }
    *slot = group;
}

static bool is_selected(const struct unit_group *group, int count, char *const *names)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(group->name, names[i]) == 0) {
            return true;
        }
    }
    return count == 0;
}

/* Runs all groups, or those named as arguments. A name without a group is a failure. */
int main(int argc, char **argv)
{
    int failed = 0, ran = 0;
    for (const struct unit_group *g = groups; g != NULL; g = g->next) {
        if (is_selected(g, argc - 1, argv + 1)) {
            failed += _cmocka_run_group_tests(g->name, g->tests, g->count, NULL, NULL);
            ran++;
        }
    }
    if (argc > 1 && ran != argc - 1) {
        (void)fprintf(stderr, "%d groups named, %d found\n", argc - 1, ran);
        return 1;
    }
    return failed == 0 ? 0 : 1;
}
