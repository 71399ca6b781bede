/* The page at /: the files of web/, which are built into the binary, each as it is and compressed.
 * They are public: what the page shows, it reads with the token of its user. */
#include "answer.h"
#include "api_auth.h"
#include "api_internal.h"
#include "call.h"
#include "io/embed.h"

#include <stdio.h>
#include <string.h>

#define CSP                                                                              \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; " \
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "    \
    "frame-ancestors "

/* Telegram's web client shows a Mini App in a frame, its other programs in a window. */
#define TELEGRAM "https://web.telegram.org"

static const char *media_of(const char *name)
{
    static const struct {
        const char *ending, *media;
    } known[] = {{".html", "text/html; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".svg", "image/svg+xml"}};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending != NULL && i < COUNT_OF(known); i++) {
        if (strcmp(ending, known[i].ending) == 0) {
            return known[i].media;
        }
    }
    return NULL;
}

/* "q=0", "Q = 0.000": not this one. */
static bool is_refused(struct str weight)
{
    struct str name = weight; /* also if it is empty */
    (void)str_split(&weight, '=', &name);
    weight = str_trim(weight);
    for (size_t i = 0; i < weight.len; i++) {
        if (weight.ptr[i] != '0' && weight.ptr[i] != '.') {
            return false;
        }
    }
    return str_equal_nocase(str_trim(name), "q") && weight.len > 0;
}

/* RFC 9110: what the list says of gzip, or else of "*". */
static bool takes_gzip(struct web_request *request)
{
    struct str rest = web_header(request, "Accept-Encoding"), one;
    bool any = false;
    while (str_split(&rest, ',', &one)) {
        struct str coding = one, weight = one;
        (void)str_split(&weight, ';', &coding);
        coding = str_trim(coding);
        if (str_equal_nocase(coding, "gzip")) {
            return !is_refused(weight);
        }
        any = str_equal_c(coding, "*") ? !is_refused(weight) : any;
    }
    return any;
}

static const struct embedded_file *find(const char *name, const char *ending)
{
    char path[80];
    int len = snprintf(path, sizeof(path), "web/%s%s", name, ending);
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (len < (int)sizeof(path) && strcmp(f->path, path) == 0) {
            return f;
        }
    }
    return NULL;
}

static void answer(struct api_call *call, const char *name)
{
    struct api_headers known;
    struct err err = {0};
    const char *media = media_of(name);
    bool gzip = takes_gzip(call->request);
    const struct embedded_file *file = media == NULL ? NULL : find(name, gzip ? ".gz" : "");
    if (file == NULL) {
        (void)err_set(&err, ERR_API_NOT_FOUND, "the page has no file %.40s", name);
        api_answer_err(call->request, &err);
        return;
    }
    const char *policy = api_auth_mini_app(call) ? CSP TELEGRAM : CSP "'none'";
    api_answer_tag(str_n(file->data, file->size), &known);
    known.list[2] = policy; /* a 304 replaces the one that the browser has stored */
    known.list[3] = NULL;
    const char *headers[] = {known.etag,
                             "Cache-Control: no-cache", /* asked for each time, 304 mostly */
                             "Vary: Accept-Encoding",
                             policy,
                             "X-Content-Type-Options: nosniff",
                             "Referrer-Policy: no-referrer",
                             gzip ? "Content-Encoding: gzip" : NULL,
                             NULL};
    if (!api_answer_unchanged(call->request, &known)) {
        web_answer(call->request, &(struct web_answer){.status = 200,
                                                       .content_type = media,
                                                       .headers = headers,
                                                       .body = str_n(file->data, file->size)});
    }
}

void api_page_handle(struct api_call *call)
{
    answer(call, "index.html");
}

void api_page_file_handle(struct api_call *call)
{
    answer(call, api_text(call, "file"));
}
