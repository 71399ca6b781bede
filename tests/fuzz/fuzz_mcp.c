/*
 * Messages of the Model Context Protocol. The first three lines of the input are the headers
 * MCP-Protocol-Version, Mcp-Method and Mcp-Name, the rest is the body. Whatever they say:
 *   - a message that is accepted has a method, and an id that is a text or a whole number;
 *   - what is refused has an error of the protocol with a status of HTTP, as valid JSON.
 */
#include "../../src/api/mcp.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fault(const struct mcp_request *request, const struct mcp_fault *fault)
{
    AUTO_BUF struct buf body = BUF_INIT((size_t)1 << 20);
    AUTO_JSON struct json_object *root = NULL;
    ASSERT(fault->status == 400 && fault->code < -32000 && fault->message[0] != '\0');
    mcp_fault_json(request, fault, &body);
    ASSERT(!buf_failed(&body));
    ASSERT(json_parse(buf_str(&body), &JSON_LIMITS_DEFAULT, &root, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_n((const char *)data, size);
    struct mcp_headers headers = {0};
    struct mcp_request request = {0};
    struct mcp_fault fault = {0};
    (void)str_split(&rest, '\n', &headers.version);
    (void)str_split(&rest, '\n', &headers.method);
    (void)str_split(&rest, '\n', &headers.name);
    if (mcp_read(rest, &headers, &request, &fault)) {
        ASSERT(request.method[0] != '\0');
        ASSERT(request.params == NULL || json_is_object(request.params));
        ASSERT(request.id == NULL || json_is_text(request.id) ||
               json_object_is_type(request.id, json_type_int));
        ASSERT(!request.modern || request.id == NULL ||
               str_equal_c(str_trim(headers.version), MCP_MODERN_VERSION));
    } else {
        check_fault(&request, &fault);
    }
    mcp_release(&request);
    return 0;
}
