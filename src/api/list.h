/*
 * list.h: one page of a list: where it begins, what of each item is wanted, and the next page.
 *
 *     struct api_list l;
 *     if (!api_list_begin(&l, call, api_age_of_ops(shared))) return;       // it was answered
 *     int rc = table_list(store, …, rows, l.limit + 1, &err);              // one more than wanted
 *     for (int i = 0; i < rc && api_list_next(&l); i++) {                  // false: the page is
 * full api_list_item(&l);  … json_out_…(&l.answer.out, …);  api_list_item_end(&l); api_list_key(&l,
 * rows[i].id);                 // what the next page comes after
 *     }
 *     api_list_end(&l, rc, &err);
 *
 * The array has the name of the last part of the path. A cursor is the key of the last item that
 * was given, so pages neither repeat nor skip an item while rows are added. Thread: a listener's.
 */
#pragma once

#include "answer.h"
#include "call.h"

#define API_CURSOR_MAX 160 /* bytes of a key */

struct api_list {
    struct api_call *call;
    struct api_answer answer;
    size_t limit;
    size_t count;               /* items so far */
    char after[API_CURSOR_MAX]; /* the key that the cursor names; "": the first page */
    char key[API_CURSOR_MAX];   /* of the last item */
    bool more;
    char fields[1024]; /* only.names points into it */
    struct json_only only;
};

/* Reads limit, cursor and fields, which the route has as API_LIST_PARAMS. False: the request was
 * answered with an error. */
bool api_list_begin(struct api_list *l, struct api_call *call, struct api_age age);
/* The key of the cursor as a number; 0: the first page. */
int64_t api_list_after(const struct api_list *l);
/* Whether another item belongs to the page. */
bool api_list_next(struct api_list *l);
void api_list_item(struct api_list *l);
void api_list_item_end(struct api_list *l);
void api_list_key(struct api_list *l, int64_t key);
/* Answers; with an error if rc is negative. */
void api_list_end(struct api_list *l, int rc, const struct err *err);

#define API_LIST_PARAMS(max)                                                               \
    {.name = "limit",                                                                      \
     .type = PARAM_INT,                                                                    \
     .minimum = "1",                                                                       \
     .maximum = (max),                                                                     \
     .default_text = "50",                                                                 \
     .help = "how many at most"},                                                          \
        {.name = "cursor",                                                                 \
         .type = PARAM_TEXT,                                                               \
         .help = "next_cursor of the page before; not given: the first page"},             \
    {                                                                                      \
        .name = "fields", .type = PARAM_TEXT,                                              \
        .help = "the members of each item that are wanted, such as id,symbol; not given: " \
                "all"                                                                      \
    }
