/* From a request to its handler. */
#include "api_auth.h"
#include "api_internal.h"
#include "base/check.h"
#include "call.h"

/* Of a request that no row serves. `here`: others serve its path. */
static void refuse(struct web_request *request, bool here)
{
    struct str path = web_path(request), method = web_method(request);
    int shown = path.len > 100 ? 100 : (int)path.len;
    char text[128] = "";
    struct err err = {0};
    if (here) {
        char allow[80] = "Allow: ";
        const char *headers[] = {allow, NULL};
        route_methods(path, text, sizeof(text));
        (void)str_copy(str_c(text), allow + 7, sizeof(allow) - 7);
        (void)err_set(&err, ERR_API_METHOD, "%.*s, but this path accepts only %s",
                      method.len > 20 ? 20 : (int)method.len, method.ptr, text);
        api_answer_problem(request, &err, headers);
        return;
    }
    bool near = route_nearest(path, text, sizeof(text));
    (void)err_set(&err, ERR_API_NOT_FOUND, "%.*s%s%s%s", shown, path.ptr,
                  near ? "; did you mean " : "", text, near ? "?" : "");
    api_answer_err(request, &err);
}

void api_handle(struct web_request *request, void *userdata)
{
    bool here = false;
    struct err err = {0};
    struct api_call call = {.listener = userdata, .request = request};
    call.route = route_find(web_method(request), web_path(request), &here);
    if (api_auth_preflight(&call) || !api_auth_admit(&call)) {
        return;
    }
    if (call.route == NULL) {
        refuse(request, here);
    } else if (api_call_read(&call, &err) < 0) {
        api_answer_err(request, &err);
    } else {
        call.route->handle(&call);
    }
    api_call_release(&call);
}
