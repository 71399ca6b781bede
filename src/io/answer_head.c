#include "answer_head.h"

#include <string.h>

#define VERSION "HTTP/1." /* and one digit, and a blank */

bool answer_head_lists(struct str list, const char *word)
{
    struct str part;
    while (str_split(&list, ',', &part)) {
        if (str_equal_nocase(str_trim(part), word)) {
            return true;
        }
    }
    return false;
}

static bool has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            return true;
        }
    }
    return false;
}

/* Splits "Name: value" into its parts. */
static bool split_field(struct str line, struct str *ret_name, struct str *ret_value)
{
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t at = 0;
    while (at < line.len && line.ptr[at] != '\0' && strchr(token, line.ptr[at]) != NULL) {
        at++;
    }
    if (at == 0 || at == line.len || line.ptr[at] != ':') {
        return false;
    }
    *ret_name = str_n(line.ptr, at);
    *ret_value = str_n(line.ptr + at + 1, line.len - at - 1);
    if (has_control(*ret_value)) {
        return false;
    }
    *ret_value = str_trim(*ret_value);
    return true;
}

/* Takes the line at the front, without its end; what follows the last one has no line end. */
static struct str take_line(struct str *rest)
{
    const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    struct str line = str_n(rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr));
    size_t used = end == NULL ? rest->len : line.len + 2;
    *rest = str_n(rest->ptr + used, rest->len - used);
    return line;
}

int answer_head_next(struct str *fields, struct str *ret_name, struct str *ret_value)
{
    if (fields->len == 0) {
        return 0;
    }
    return split_field(take_line(fields), ret_name, ret_value) ? 1 : -1;
}

/* "HTTP/1.1 101 Switching Protocols" */
static bool read_status(struct answer_head *head, struct str line)
{
    int64_t status = 0;
    size_t at = strlen(VERSION) + 2;
    if (line.len < at + 3 || line.ptr[at - 1] != ' ' ||
        (line.len > at + 3 && line.ptr[at + 3] != ' ') || has_control(line) ||
        !str_to_i64(str_n(line.ptr + at, 3), &status) || status < 100 || status > 599) {
        return false;
    }
    head->minor = line.ptr[at - 2] - '0';
    head->status = (int)status;
    return true;
}

int answer_head_find(struct answer_head *head, struct str bytes, size_t most, const char **ret_why)
{
    static const char end_of_head[] = "\r\n\r\n";
    size_t version = strlen(VERSION);
    bool other = bytes.len > version && bytes.ptr[version] != '0' && bytes.ptr[version] != '1';
    if (other || memcmp(bytes.ptr, VERSION, bytes.len < version ? bytes.len : version) != 0) {
        *ret_why = "it is not HTTP/1.1";
        return -1;
    }
    /* The end may have begun in the bytes before. */
    size_t from = head->searched > 3 ? head->searched - 3 : 0;
    const char *end = memmem(bytes.ptr + from, bytes.len - from, end_of_head, 4);
    head->searched = bytes.len;
    head->size = end == NULL ? bytes.len : (size_t)(end - bytes.ptr) + 4;
    if (head->size > most) {
        *ret_why = "its headers are too long";
        return -1;
    }
    if (end == NULL) {
        return 0;
    }
    head->fields = str_n(bytes.ptr, head->size - 4);
    if (!read_status(head, take_line(&head->fields))) {
        *ret_why = "its status line is malformed";
        return -1;
    }
    return 1;
}
