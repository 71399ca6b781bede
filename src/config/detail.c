#include "detail.h"

#include "base/check.h"

#include <stdarg.h>
#include <string.h>

struct detail_chunk {
    struct detail_chunk *next;
    _Alignas(const char *) char bytes[];
};

struct config_detail *detail_new(void)
{
    ASSERT(option_count <= DETAIL_OPTIONS_MAX);
    struct config_detail *detail = calloc(1, sizeof(*detail));
    ASSERT(detail != NULL);
    return detail;
}

void detail_free(struct config_detail *detail)
{
    if (detail == NULL) {
        return;
    }
    while (detail->chunks != NULL) {
        struct detail_chunk *chunk = detail->chunks;
        detail->chunks = chunk->next;
        free(chunk);
    }
    for (int i = 0; i < detail->secret_count; i++) {
        secret_free(detail->secrets[i]);
    }
    free(detail);
}

/* size bytes, zeroed, that live as long as the configuration. */
static void *add_chunk(struct config_detail *detail, size_t size)
{
    struct detail_chunk *chunk = calloc(1, sizeof(*chunk) + size);
    ASSERT(chunk != NULL);
    chunk->next = detail->chunks;
    detail->chunks = chunk;
    return chunk->bytes;
}

const char *detail_text(struct config_detail *detail, struct str text)
{
    if (text.len == 0) {
        return "";
    }
    if (detail->text_bytes + text.len > DETAIL_TEXT_MAX) {
        return NULL;
    }
    char *copy = add_chunk(detail, text.len + 1);
    memcpy(copy, text.ptr, text.len);
    detail->text_bytes += text.len;
    return copy;
}

struct config_texts detail_list(struct config_detail *detail, size_t count)
{
    static const char *none[] = {NULL};
    if (count == 0) {
        return (struct config_texts){.items = none};
    }
    return (struct config_texts){.items = add_chunk(detail, (count + 1) * sizeof(const char *))};
}

const char *detail_secret(struct config_detail *detail, struct str text)
{
    if (text.len == 0) {
        return "";
    }
    /* At most one from each source of each secret option, and one that was kept running. */
    ASSERT(detail->secret_count < DETAIL_SECRETS_MAX);
    struct secret *secret = secret_new(text);
    detail->secrets[detail->secret_count++] = secret;
    return secret_text(secret);
}

/* Masks the words behind the place ("file:line:column: ") that look like a secret: people paste
 * keys into the wrong line, and these messages go into chats and bug reports. */
static void mask_secrets(char *text)
{
    static const char ends[] = " \"',{}[]";
    char *at = strstr(text, ": ");
    at = at == NULL ? text : at;
    while (*at != '\0') {
        size_t len = strcspn(at, ends);
        if (len > 3 && str_looks_secret(str_n(at, len))) {
            memcpy(at, "***", 3);
            memmove(at + 3, at + len, strlen(at + len) + 1);
            len = 3;
        }
        at += len + (at[len] != '\0' ? 1 : 0);
    }
}

void detail_add(struct load *load, const struct err *err)
{
    struct config_problems *problems = load->problems;
    if (problems->count == CONFIG_PROBLEMS_MAX) {
        problems->more++;
        return;
    }
    problems->items[problems->count] = *err;
    mask_secrets(problems->items[problems->count++].context);
}

void detail_problem(struct load *load, enum err_id id, const struct yaml_node *node,
                    const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    if (node != NULL) {
        buf_addf(&text, "%.80s:%d:%d: ", load->name, node->line, node->column);
    }
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    struct err err;
    (void)err_set(&err, id, "%s", text.data);
    detail_add(load, &err);
}
