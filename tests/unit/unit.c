#include "unit/unit.h"

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
