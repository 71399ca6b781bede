/* The Model Context Protocol at POST /mcp: messages of both generations, and of neither. */
#include "api_rig.h"

#include <sys/stat.h>

#define MODERN_HEADERS                     \
    "MCP-Protocol-Version: 2026-07-28\r\n" \
    "Mcp-Method: %s\r\n"
#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define LEGACY "MCP-Protocol-Version: 2025-11-25\r\n"

static struct json_object *parsed;

static int post(struct api_rig *f, const char *headers, const char *message)
{
    const char *body;
    AUTO_BUF struct buf text = BUF_INIT(256 * 1024);
    buf_addf(&text,
             "POST /mcp HTTP/1.1\r\nHost: localhost:80\r\n%sConnection: close\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             headers, strlen(message), message);
    int status = api_rig_exchange(f, false, text.data, &body);
    (void)json_object_put(parsed);
    parsed = NULL;
    if (body[0] != '\0') {
        assert_int_equal(json_parse(str_c(body), &JSON_LIMITS_DEFAULT, &parsed, NULL), 0);
        assert_string_equal(json_text(parsed, "jsonrpc"), "2.0");
    }
    return status;
}

static int release(void **state)
{
    (void)json_object_put(parsed);
    parsed = NULL;
    return api_rig_teardown(state);
}

static struct json_object *at(const char *pointer)
{
    return json_at(parsed, pointer);
}

static const char *text_at(const char *pointer)
{
    struct json_object *value = at(pointer);
    return json_is_text(value) ? json_object_get_string(value) : "";
}

static int64_t code(void)
{
    return json_i64(json_get(parsed, "error"), "code", 0);
}

static int post_modern(struct api_rig *f, const char *method, const char *params)
{
    AUTO_BUF struct buf headers = BUF_INIT(1000);
    AUTO_BUF struct buf message = BUF_INIT(8000);
    buf_addf(&headers, MODERN_HEADERS, method);
    buf_addf(&message, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{" META "%s%s}}",
             method, params[0] == '\0' ? "" : ",", params);
    return post(f, headers.data, message.data);
}

static void both_generations_are_served_at_one_path(void **state)
{
    struct api_rig *f = *state;
    assert_int_equal(post(f, "",
                          "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"initialize\","
                          "\"params\":{\"protocolVersion\":\"2025-06-18\"}}"),
                     200);
    assert_string_equal(text_at("/id"), "a");
    assert_string_equal(text_at("/result/protocolVersion"), "2025-06-18");
    assert_string_equal(text_at("/result/serverInfo/version"), NIGHTDESK_VERSION);
    assert_null(at("/result/resultType"));
    (void)post(f, "",
               "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":"
               "{\"protocolVersion\":\"1999-01-01\"}}");
    assert_string_equal(text_at("/result/protocolVersion"), "2025-11-25");
    assert_int_equal(post(f, LEGACY,
                          "{\"jsonrpc\":\"2.0\",\"method\":"
                          "\"notifications/initialized\"}"),
                     202);
    assert_null(parsed);
    assert_int_equal(post(f, LEGACY, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}"), 200);
    assert_int_equal(json_object_object_length(at("/result")), 0);

    assert_int_equal(post_modern(f, "server/discover", ""), 200);
    assert_string_equal(text_at("/result/resultType"), "complete");
    assert_string_equal(text_at("/result/supportedVersions/0"), "2026-07-28");
    assert_true(json_i64(at("/result"), "ttlMs", -1) >= 0);
    assert_string_equal(text_at("/result/cacheScope"), "public");
    /* What one generation has removed, it does not know. */
    assert_int_equal(post_modern(f, "ping", ""), 404);
    assert_int_equal(code(), -32601);
    assert_int_equal(post(f, LEGACY,
                          "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
                          "\"server/discover\"}"),
                     200);
    assert_int_equal(code(), -32601);
}

static void a_malformed_message_has_its_own_error(void **state)
{
    struct api_rig *f = *state;
    static const struct {
        const char *message;
        int code;
        bool has_id;
    } cases[] = {
        {"", -32700, false},
        {"{", -32700, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", -32700, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700, false},
        {"null", -32600, false},
        {"7", -32600, false},
        {"\"ping\"", -32600, false},
        {"[]", -32600, false},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", -32600, false},
        {"{}", -32600, false},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600, true},
        {"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", -32600, true},
        {"{\"id\":1,\"method\":\"ping\"}", -32600, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", -32600, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"ping\"}", -32600, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}", -32600, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", -32600, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999999,\"method\":\"ping\"}", -32600, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", -32600, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", -32600, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", -32600, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"\"}}", -32600, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[1]}", -32602, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":null}", -32602, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":\"x\"}", -32602, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(post(f, LEGACY, cases[i].message), 400);
        assert_int_equal(code(), cases[i].code);
        assert_true((json_get(parsed, "id") != NULL) == cases[i].has_id);
        assert_true(text_at("/error/message")[0] != '\0');
    }
    AUTO_BUF struct buf deep = BUF_INIT(60000);
    buf_add_c(&deep, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":");
    for (int i = 0; i < 10000; i++) {
        buf_add_char(&deep, '[');
    }
    assert_int_equal(post(f, LEGACY, deep.data), 400);
    assert_int_equal(code(), -32600);
    /* A whole number of 64 bits and a long text come back as they were. */
    assert_int_equal(post(f, LEGACY,
                          "{\"jsonrpc\":\"2.0\",\"id\":-9223372036854775808,"
                          "\"method\":\"ping\"}"),
                     200);
    assert_true(json_i64(parsed, "id", 0) == INT64_MIN);
    assert_int_equal(post(f, LEGACY,
                          "{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9\\\"\","
                          "\"method\":\"ping\"}"),
                     200);
    assert_string_equal(text_at("/id"), "\xc3\xa9\"");
    /* A notification, even of what is a request: accepted, and nothing is done. */
    assert_int_equal(post(f, LEGACY, "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\"}"), 202);
}

static void headers_repeat_the_body_or_are_refused(void **state)
{
    struct api_rig *f = *state;
    static const struct {
        const char *headers;
        const char *message;
        int code;
    } cases[] = {
        {"", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", -32020},
        {"MCP-Protocol-Version: 2024-11-05\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", -32022},
        {"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", -32602},
        {"Mcp-Method: tools/list\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}", -32020},
        {"MCP-Protocol-Version: 2025-11-25\r\nMcp-Method: tools/list\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}", -32020},
        {"MCP-Protocol-Version: 2026-07-28\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}", -32020},
        {"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: Tools/List\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}", -32020},
        {"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
         "call\",\"params\":{\"name\":\"version\"," META "}}",
         -32020},
        {"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: status\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
         "call\",\"params\":{\"name\":\"version\"," META "}}",
         -32020},
        {"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
         "Mcp-Name: =?base64?cnVu?=\r\n", /* run */
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
         "call\",\"params\":{\"name\":\"runs\"," META "}}",
         -32020},
        {"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
         "Mcp-Name: =?base64?cnV!?=\r\n",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
         "call\",\"params\":{\"name\":\"run\"," META "}}",
         -32020},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(post(f, cases[i].headers, cases[i].message), 400);
        assert_int_equal(code(), cases[i].code);
        assert_int_equal(json_i64(parsed, "id", 0), 1);
    }
    (void)post(f, cases[1].headers, cases[1].message);
    assert_string_equal(text_at("/error/data/requested"), "2024-11-05");
    assert_string_equal(text_at("/error/data/supported/1"), "2025-11-25");
    /* The same name encoded, with blanks around. */
    assert_int_equal(post(f,
                          "mcp-protocol-version:  2026-07-28 \r\nMCP-METHOD: tools/call\r\n"
                          "Mcp-Name: =?base64?cnVucw==?=\r\n",
                          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
                          "call\",\"params\":{\"name\":\"runs\"," META "}}"),
                     200);
}

static void other_methods_and_types_are_refused(void **state)
{
    struct api_rig *f = *state;
    static const char *const methods[] = {"GET", "DELETE", "PUT"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1000);
        buf_addf(&text, "%s /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                 methods[i]);
        assert_int_equal(api_rig_exchange(f, false, text.data, NULL), 405);
    }
    assert_int_equal(api_rig_exchange(f, false,
                                      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: "
                                      "close\r\nContent-Type: text/plain\r\nContent-Length: "
                                      "2\r\n\r\n{}",
                                      NULL),
                     415);
    assert_int_equal(post(f, LEGACY "Accept: text/html\r\n",
                          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
                     406);
    assert_int_equal(post(f, LEGACY "Accept: ,,application/json;, text/event-stream\r\n",
                          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
                     200);
    /* Without a token, and from a web page. */
    assert_int_equal(api_rig_exchange(f, true,
                                      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: "
                                      "close\r\nContent-Length: 0\r\n\r\n",
                                      NULL),
                     401);
    assert_int_equal(api_rig_exchange(f, true,
                                      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: "
                                      "close\r\nOrigin: https://evil.example\r\n"
                                      "Content-Length: 0\r\n\r\n",
                                      NULL),
                     403);
}

static bool has_tool(const char *name)
{
    struct json_object *tools = at("/result/tools");
    for (size_t i = 0; i < json_len(tools); i++) {
        if (strcmp(json_text(json_item(tools, i), "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

static void the_role_of_the_caller_decides_which_tools_there_are(void **state)
{
    struct api_rig *f = *state;
    struct config *config = NULL;
    struct err err = {0};
    AUTO_BUF struct buf text = BUF_INIT(1000);
    if (getuid() != 0) {
        skip(); /* only root may call as another */
    }
    assert_int_equal(post_modern(f, "tools/list", ""), 200);
    assert_true(has_tool("status") && has_tool("propose_command"));
    assert_false(has_tool("restart") || has_tool("ask") || has_tool("users"));

    buf_addf(&text, "api:\n  token: " API_RIG_TOKEN "\n  local_users:\n"
                    "    - {uid: 65534, name: rita, role: read_only}\n");
    assert_int_equal(config_parse(buf_str(&text), "test", &config, NULL, &err), 0);
    api_apply(f->api, config);
    access_apply(f->access, config);
    f->caller_uid = 65534;
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_int_equal(chmod(f->socket_path, 0666), 0);
    assert_int_equal(post_modern(f, "tools/list", ""), 200);
    assert_true(has_tool("status"));
    assert_false(has_tool("propose_command"));
    /* Not listed, and not there either. */
    assert_int_equal(post(f, LEGACY,
                          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
                          "\"params\":{\"name\":\"propose_command\",\"arguments\":{"
                          "\"command\":\"/restart demo\",\"reason\":\"x\"}}}"),
                     200);
    assert_int_equal(code(), -32602);
    f->caller_uid = 0;
    api_apply(f->api, f->config);
    access_apply(f->access, f->config);
    config_free(config);
}

#define MCP_TEST(fn) cmocka_unit_test_setup_teardown(fn, api_rig_setup, release)
UNIT_GROUP(mcp, MCP_TEST(both_generations_are_served_at_one_path),
           MCP_TEST(a_malformed_message_has_its_own_error),
           MCP_TEST(headers_repeat_the_body_or_are_refused),
           MCP_TEST(other_methods_and_types_are_refused),
           MCP_TEST(the_role_of_the_caller_decides_which_tools_there_are))
