/* Errors as RFC 9457 has them, with all that the catalogue knows. */
#include "api_internal.h"
#include "base/check.h"
#include "io/json_out.h"
#include "model/model_json.h"

#define HEADERS_MAX  8
#define RETRY_HEADER "Retry-After: 5" /* s */

void api_problem_write(struct json_out *out, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    char type[80];
    (void)snprintf(type, sizeof(type), "/docs#%s", info->code);
    json_out_text(out, "type", type);
    json_out_text(out, "title", info->message);
    json_out_i64(out, "status", info->http_status);
    json_out_text(out, "detail", err->context[0] != '\0' ? err->context : info->cause);
    json_out_text(out, "error_code", info->code);
    json_out_text(out, "error_type", err_type_name(info->type));
    model_json_err_rest(out, err);
    json_out_time(out, "timestamp", clock_wall_us(clock_real()));
}

void api_problem_document(const struct err *err, struct buf *body)
{
    struct json_out out = JSON_OUT(body);
    json_out_document(&out, "nightdesk.problem/1");
    api_problem_write(&out, err);
    json_out_end(&out);
    buf_add_char(body, '\n');
}

void api_problem_send(struct web_request *request, int status, struct str body,
                      const char *const *headers)
{
    const char *all[HEADERS_MAX + 1] = {NULL};
    size_t count = 0;
    for (; headers != NULL && headers[count] != NULL; count++) {
        ASSERT(count < HEADERS_MAX - 2);
        all[count] = headers[count];
    }
    if (status == 401) {
        all[count++] = "WWW-Authenticate: Bearer";
    }
    if (status == 503) {
        all[count++] = RETRY_HEADER;
    }
    web_answer(request, &(struct web_answer){.status = status,
                                             .content_type = "application/problem+json",
                                             .headers = all,
                                             .body = body});
}

void api_answer_problem(struct web_request *request, const struct err *err,
                        const char *const *headers)
{
    AUTO_BUF struct buf body = BUF_INIT(8192);
    api_problem_document(err, &body);
    api_problem_send(request, err_info(err->id)->http_status, buf_str(&body), headers);
}

void api_answer_err(struct web_request *request, const struct err *err)
{
    api_answer_problem(request, err, NULL);
}
