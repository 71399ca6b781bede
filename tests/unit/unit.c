#include "unit/unit.h"

#ifdef __SANITIZE_ADDRESS__
/* What fontconfig knows of this machine's fonts it keeps to the end, once a process. */
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

int main(void)
{
    int failed = 0;
    for (const struct unit_group *g = groups; g != NULL; g = g->next) {
        failed += _cmocka_run_group_tests(g->name, g->tests, g->count, NULL, NULL);
    }
    return failed == 0 ? 0 : 1;
}
