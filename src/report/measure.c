#include "report/measure.h"

#include "base/check.h"
#include "base/clock.h"
#include "measure_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *measure_by_name(enum measure_by by)
{
    static const char *const names[MEASURE_BYS] = {"none", "symbol", "exit",   "side", "hour",
                                                   "day",  "agent",  "regime", "code", "service"};
    return names[by];
}

struct measure_result *measure_result_new(void)
{
    struct measure_result *result = calloc(1, sizeof(*result));
    NEED_MEMORY(result != NULL);
    return result;
}

void measure_result_free(struct measure_result *result)
{
    free(result);
}

struct measure_sum *measure_group(struct measure_result *result, struct str name)
{
    for (int i = 0; i < result->count; i++) {
        if (str_equal_c(name, result->groups[i].name)) {
            return &result->groups[i];
        }
    }
    if (result->count == MEASURE_GROUPS_MAX) {
        result->left_out++;
        return &result->groups[MEASURE_GROUPS_MAX - 1];
    }
    struct measure_sum *group = &result->groups[result->count++];
    str_cut(name, group->name, sizeof(group->name));
    return group;
}

void measure_time_name(const struct measure_query *query, int64_t us, char ret[MEASURE_NAME_SIZE])
{
    struct zone_time t = zone_local(query->zone, us);
    struct zone_date date = zone_date(t.day);
    if (query->by == MEASURE_BY_HOUR) {
        (void)snprintf(ret, MEASURE_NAME_SIZE, "%02d:00", t.minute_of_day / 60);
    } else {
        (void)snprintf(ret, MEASURE_NAME_SIZE, "%04lld-%02d-%02d", (long long)date.year, date.month,
                       date.day);
    }
}

int measure_read(const struct measure_sources *sources, const struct measure_query *query,
                 struct measure_result *ret, struct err *err)
{
    *ret = (struct measure_result){0};
    if (sources->trading != NULL) {
        int rc = db_get_i64(sources->trading, "SELECT market_us FROM engine_state", DB_NO_VALUES, 0,
                            &ret->market_us, err);
        if (rc < 0) {
            return rc;
        }
    }
    switch (query->kind) {
    case MEASURE_OF_TRADES:
        return sources->trading == NULL ? 0 : measure_trades(sources->trading, query, ret, err);
    case MEASURE_OF_EQUITY:
    case MEASURE_OF_SLIPPAGE:
    case MEASURE_OF_FUNDING:
    case MEASURE_OF_DECISIONS:
        return sources->trading == NULL ? 0 : measure_market(sources->trading, query, ret, err);
    case MEASURE_OF_ALERTS:
    case MEASURE_OF_FINDINGS:
    case MEASURE_OF_AUDITS:
    case MEASURE_OF_MODEL:
    case MEASURE_OF_CHECKS:
    case MEASURE_OF_ERRORS:
    case MEASURE_OF_COMMANDS:
    case MEASURE_OF_INCIDENTS:
        return measure_ops(sources->ops, query, ret, err);
    }
    return 0;
}
