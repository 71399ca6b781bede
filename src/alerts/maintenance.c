/* Maintenance: while it lasts, alerts are held back. */
#include "alerts_internal.h"
#include "base/check.h"

#include <string.h>

int alert_maintenance_load(struct alerts *alerts, struct err *err)
{
    struct maintenance *rows = calloc(MAINTENANCE_MAX, sizeof(*rows));
    ASSERT(rows != NULL);
    int n = maintenance_table_list(alerts->o.store, rows, MAINTENANCE_MAX, err);
    free(alerts->maintenance);
    alerts->maintenance_count = n < 0 ? 0 : (size_t)n;
    alerts->maintenance = rows;
    if (n <= 0) { /* the rule; without it the program needs no memory for them */
        free(TAKE(alerts->maintenance));
    }
    return n < 0 ? n : 0;
}

bool alerts_in_maintenance(const struct alerts *alerts, const char *service)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    for (size_t i = 0; i < alerts->maintenance_count; i++) {
        const struct maintenance *m = &alerts->maintenance[i];
        bool covers =
            m->service[0] == '\0' || (service != NULL && strcmp(m->service, service) == 0);
        if (covers && m->until_us > now_us) {
            return true;
        }
    }
    return false;
}
