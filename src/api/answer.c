#include "answer.h"

#include "api_internal.h"
#include "base/check.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

static struct api_age age_from(int64_t us)
{
    int64_t step_us = API_AGE_STEP_MS * USEC_PER_MSEC;
    return (struct api_age){.us = us / step_us * step_us, .stale = us >= SHARED_SILENT_US};
}

struct api_age api_age_of_engine(const struct shared *shared, const struct snapshot *s)
{
    const struct clock *clock = clock_real();
    return s->version == 0
               ? (struct api_age){.us = -1, .stale = true}
               : age_from(shared_silent_us(shared, s, clock_wall_us(clock), clock_mono_us(clock)));
}

struct api_age api_age_of_ops(const struct shared *shared)
{
    return age_from(shared_beat_age_us(&shared->ops_beat_mono_us, clock_mono_us(clock_real())));
}

void api_age_write(struct json_out *out, struct api_age age)
{
    int64_t left_us = age.us < 0 || age.us > API_TTL_US ? 0 : API_TTL_US - age.us;
    if (age.us < 0) {
        json_out_null(out, "data_age_seconds");
    } else {
        json_out_rounded(out, "data_age_seconds", (double)age.us / USEC_PER_SEC, 2);
    }
    json_out_i64(out, "ttl_seconds", left_us / USEC_PER_SEC);
    json_out_bool(out, "stale", age.stale);
}

void api_answer_begin(struct api_answer *a, const char *schema, struct api_age age)
{
    *a = (struct api_answer){.stale = age.stale};
    buf_init(&a->body, API_ANSWER_MAX);
    a->out = (struct json_out)JSON_OUT(&a->body);
    json_out_document(&a->out, schema);
    a->ages_from = a->body.len;
    api_age_write(&a->out, age);
    a->ages_to = a->body.len;
}

void api_answer_drop(struct api_answer *a)
{
    buf_release(&a->body);
}

void api_answer_headers(struct api_answer *a, struct api_headers *ret)
{
    while (a->out.depth > 0) {
        json_out_end(&a->out);
    }
    buf_add_char(&a->body, '\n');
    uint64_t hash = hash_add(HASH_BEGIN, a->body.data, a->ages_from);
    hash = hash_add(hash, a->body.data + a->ages_to, a->body.len - a->ages_to);
    hash = hash_add(hash, a->stale ? "1" : "0", 1);
    (void)snprintf(ret->etag, sizeof(ret->etag), "ETag: W/\"%016llx\"", (unsigned long long)hash);
    ret->list[0] = ret->etag;
    ret->list[1] = "Cache-Control: private, no-cache, stale-if-error=60";
    ret->list[2] = a->stale ? "Warning: 110 - \"Response is Stale\"" : NULL;
    ret->list[3] = NULL;
}

void api_answer_tag(struct str bytes, struct api_headers *ret)
{
    uint64_t hash = hash_add(HASH_BEGIN, bytes.ptr, bytes.len);
    (void)snprintf(ret->etag, sizeof(ret->etag), "ETag: \"%016llx\"", (unsigned long long)hash);
    ret->list[0] = ret->etag;
    ret->list[1] = "Cache-Control: no-cache";
    ret->list[2] = NULL;
}

/* RFC 9110: a list of tags, or "*". A weak tag matches a strong one of the same text. */
static bool has_tag(struct str header, const char *etag)
{
    const char *tag = strchr(etag, '"');
    return str_equal_c(str_trim(header), "*") ||
           memmem(header.ptr, header.len, tag, strlen(tag)) != NULL;
}

bool api_answer_unchanged(struct web_request *request, const struct api_headers *headers)
{
    struct str known = web_header(request, "If-None-Match");
    if (known.len == 0 || !has_tag(known, headers->etag)) {
        return false;
    }
    web_answer(request, &(struct web_answer){.status = 304,
                                             .content_type = "application/json",
                                             .headers = headers->list});
    return true;
}

void api_answer_send_as(struct api_answer *a, struct web_request *request, int status,
                        const char *header)
{
    struct api_headers headers;
    struct err err = {0};
    api_answer_headers(a, &headers);
    const char *list[] = {header != NULL ? header : headers.list[0], headers.list[1],
                          headers.list[2], NULL};
    if (buf_failed(&a->body)) {
        (void)err_set(&err, ERR_BUF_FULL, "the answer is longer than %zu bytes", API_ANSWER_MAX);
        api_answer_err(request, &err);
    } else if (status != 200 || !api_answer_unchanged(request, &headers)) {
        web_answer(request, &(struct web_answer){.status = status,
                                                 .content_type = "application/json",
                                                 .headers = list,
                                                 .body = buf_str(&a->body)});
    }
    api_answer_drop(a);
}

void api_answer_send(struct api_answer *a, struct web_request *request)
{
    api_answer_send_as(a, request, 200, NULL);
}
