/* A model's answer: any bytes give findings or an error, each finding can be verified, and what is
 * not rejected states no figure that the report does not have. */
#include "../../src/auditor/answer.h"
#include "../../src/auditor/ground.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char report_text[] =
    "{\"meta\":{\"hours\":24},\"settings\":{\"max_positions\":5},\"trades\":{\"count\":40,"
    "\"net_usd\":-12.34,\"win_rate\":{\"k\":26,\"n\":40,\"pct\":65,\"low_pct\":49.5,\"high_pct\":"
    "77.9},\"recent\":{\"trade-17\":{\"pnl_usd\":-6.5,\"held_min\":31,\"closed_at\":"
    "\"2026-11-21T02:36:58.000000Z\"}}},\"untrusted\":{\"note\":\"99\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON struct json_object *report = NULL;
    struct finding_list *list = finding_list_new();
    struct answer_counts counts = {0};
    struct err err = {0};
    ASSERT(json_parse(str_c(report_text), &JSON_LIMITS_DEFAULT, &report, NULL) == 0);
    if (answer_read(str_n((const char *)data, size), list, &counts, &err) == 0) {
        ASSERT(list->count <= FINDING_MODEL_MAX && counts.dropped + list->count == counts.claimed);
        ground_findings(report, list, 0);
        for (int i = 0; i < list->count; i++) {
            char fingerprint[FINDING_FINGERPRINT_SIZE];
            ASSERT(list->items[i].rejected || list->items[i].evidence_count > 0);
            finding_fingerprint(&list->items[i], fingerprint);
            finding_defuse(&list->items[i]);
            ASSERT(str_is_utf8(str_c(list->items[i].title)));
        }
        (void)finding_list_merge(list, 0);
    } else {
        ASSERT(list->count == 0 && err.id == ERR_AUDIT_ANSWER);
    }
    finding_list_free(list);
    return 0;
}
