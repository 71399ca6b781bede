/*
 * answer_head.h: reads the head of an HTTP/1 response strictly, without its socket. Private to io.
 *
 *     struct answer_head head = {0};
 *     rc = answer_head_find(&head, bytes, MAX, &why);   // again with more bytes while it returns 0
 *     if (rc == 1) while (answer_head_next(&head.fields, &name, &value) > 0) ...
 *
 * Always true: each line ends with CR LF, none is folded, no name is followed by a blank, no value
 * holds a control character. Each byte is searched once, however small the pieces are.
 * Views point into bytes. Thread: any.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct answer_head {
    size_t searched; /* the head does not end before */
    size_t size;     /* of the head, with the empty line at its end */
    int status;      /* 100 to 599 */
    int minor;       /* of HTTP/1.x: 0 or 1 */
    struct str fields;
};

/* 1: whole; 0: the bytes so far are valid, more must follow; -1: it is none, *ret_why says why.
 * bytes: all so far; most: of the head. */
int answer_head_find(struct answer_head *head, struct str bytes, size_t most, const char **ret_why);
/* Takes the next field off the front: 1; 0 if there is none; -1: it is malformed. */
int answer_head_next(struct str *fields, struct str *ret_name, struct str *ret_value);
/* Whether a list of words with commas has this one, in any case. */
bool answer_head_lists(struct str list, const char *word);
