/* Accepts HTTP requests on a free port of 127.0.0.1 and prints "port N", then one line per request,
 * for tests that count the requests of nightdesk.
 *
 *     ping_sink > log &
 */
#include "base/check.h"
#include "io/web.h"

#include <stdio.h>
#include <unistd.h>

static void on_request(struct web_request *request, void *userdata)
{
    (void)userdata;
    struct str method = web_method(request), path = web_path(request);
    (void)printf("%.*s %.*s\n", STR_ARG(method), STR_ARG(path));
    (void)fflush(stdout);
    web_answer_c(request, 200, "OK\n");
}

int main(void)
{
    struct web *web = NULL;
    if (web_start(&(struct web_options){.handler = on_request}, &web, NULL) < 0) {
        return 1;
    }
    (void)printf("port %u\n", web_port(web));
    (void)fflush(stdout);
    for (;;) {
        (void)pause();
    }
}
