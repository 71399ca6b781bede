#include "io/otlp.h"
#include "unit/unit.h"

static void spans_are_written_as_otlp(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    struct otlp out;
    const struct otlp_tag tags[] = {{"symbol", "BTC-\"USD"}, {NULL, NULL}};
    otlp_begin(&out, &text);
    otlp_span(&out, &(struct otlp_span){.trace_high = 1,
                                        .trace_low = 0xabc,
                                        .id = 2,
                                        .name = "candle",
                                        .kind = 1,
                                        .start_ns = 1700000000000000001,
                                        .end_ns = 1700000000000000002});
    otlp_span(&out, &(struct otlp_span){.trace_high = UINT64_MAX,
                                        .trace_low = UINT64_MAX,
                                        .id = 3,
                                        .parent = 2,
                                        .name = "step",
                                        .kind = 3,
                                        .failed = true,
                                        .tags = tags});
    otlp_end(&out);
    assert_string_equal(
        text.data,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"nightdesk\"}},{\"key\":\"service.version\",\"value\":{\"stringValue\":"
        "\"" NIGHTDESK_VERSION "\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"nightdesk\"},"
        "\"spans\":[{\"traceId\":\"00000000000000010000000000000abc\",\"spanId\":"
        "\"0000000000000002\",\"name\":\"candle\",\"kind\":1,\"startTimeUnixNano\":"
        "\"1700000000000000001\",\"endTimeUnixNano\":\"1700000000000000002\",\"attributes\":[]},"
        "{\"traceId\":\"ffffffffffffffffffffffffffffffff\",\"spanId\":\"0000000000000003\","
        "\"parentSpanId\":\"0000000000000002\",\"name\":\"step\",\"kind\":3,"
        "\"startTimeUnixNano\":\"0\",\"endTimeUnixNano\":\"0\",\"attributes\":[{\"key\":"
        "\"symbol\",\"value\":{\"stringValue\":\"BTC-\\\"USD\"}}],\"status\":{\"code\":2}}]}]}]}");
}

UNIT_GROUP(otlp, cmocka_unit_test(spans_are_written_as_otlp))
