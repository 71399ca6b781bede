#include "report/privacy.h"

#include "base/auto.h"
#include "base/check.h"
#include "config/config.h"
#include "io/json.h"
#include "store/person_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX \
    (2 * (CONFIG_USERS_MAX + PEOPLE_MAX) + CONFIG_LOCALS_MAX + CONFIG_SERVICES_MAX + 8)
#define WORD_SIZE  256
#define WORD_LEAST 3 /* shorter ones are in every text */
#define ID_LEAST   5 /* digits; a shorter number is a figure */
#define TEXT_MAX   ((size_t)64 * 1024)

struct word {
    char text[WORD_SIZE];
    const char *instead;
};

struct privacy {
    struct word words[WORDS_MAX];
    size_t count;
};

/* ------------------------------------------------------------------ what is known */

static void add_word(struct privacy *privacy, const char *text, size_t least, const char *instead)
{
    if (strlen(text) < least || privacy->count == COUNT_OF(privacy->words)) {
        return;
    }
    struct word *word = &privacy->words[privacy->count++];
    str_cut(str_c(text), word->text, sizeof(word->text));
    word->instead = instead;
}

static void add_id(struct privacy *privacy, int64_t id)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)id);
    add_word(privacy, text, ID_LEAST, "[id]");
}

/* The host of a URL, with user and port: from the bytes after "://". */
static struct str host_of(struct str rest)
{
    size_t end = 0;
    while (end < rest.len && strchr("/?#\"' \t\r\n<>)", rest.ptr[end]) == NULL) {
        end++;
    }
    return str_n(rest.ptr, end);
}

static void add_host(struct privacy *privacy, const char *url)
{
    char host[WORD_SIZE];
    const char *rest = strstr(url, "://");
    str_cut(rest != NULL ? host_of(str_c(rest + 3)) : str_c(url), host, sizeof(host));
    host[strcspn(host, ":")] = '\0';
    add_word(privacy, host, WORD_LEAST, "[host]");
}

struct privacy *privacy_new(const struct config *config)
{
    struct privacy *privacy = calloc(1, sizeof(*privacy));
    NEED_MEMORY(privacy != NULL);
    for (int i = 0; i < config->user_count; i++) {
        add_word(privacy, config->users[i].name, WORD_LEAST, "[person]");
        add_id(privacy, config->users[i].id);
    }
    for (int i = 0; i < config->local_count; i++) {
        add_word(privacy, config->locals[i].name, WORD_LEAST, "[person]");
    }
    for (int i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];
        add_host(privacy, service->url);
        for (int k = 0; k < service->check_count; k++) {
            add_host(privacy, service->checks[k].url);
            add_host(privacy, service->checks[k].tcp);
        }
    }
    add_id(privacy, config->telegram_chat_id);
    add_host(privacy, config->mail_server);
    char own[WORD_SIZE] = "";
    if (gethostname(own, sizeof(own) - 1) == 0) {
        add_word(privacy, own, WORD_LEAST, "[host]");
    }
    return privacy;
}

void privacy_free(struct privacy *privacy)
{
    free(privacy);
}

void privacy_add_people(struct privacy *privacy, struct ops_store *ops)
{
    struct person people[PEOPLE_MAX];
    int count = person_table_list(ops, people, COUNT_OF(people), NULL);
    for (int i = 0; i < count; i++) {
        add_word(privacy, people[i].name, WORD_LEAST, "[person]");
        add_id(privacy, people[i].id);
    }
}

/* ------------------------------------------------------------------ one text */

static bool is_alnum(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

/* A byte of a word; bytes of other scripts count. */
static bool in_word(char byte)
{
    return is_alnum(byte) || byte == '_' || (byte & 0x80) != 0;
}

static bool in_mail(char byte)
{
    return in_word(byte) || strchr(".+-%", byte) != NULL;
}

/* The number of bytes at `at` that a known word covers; 0: none. */
static size_t known(const struct privacy *privacy, struct str text, size_t at,
                    const char **ret_instead)
{
    for (size_t i = 0; i < privacy->count; i++) {
        size_t len = strlen(privacy->words[i].text);
        if (len <= text.len - at && strncmp(text.ptr + at, privacy->words[i].text, len) == 0 &&
            (at == 0 || !in_word(text.ptr[at - 1])) &&
            (at + len == text.len || !in_word(text.ptr[at + len]))) {
            *ret_instead = privacy->words[i].instead;
            return len;
        }
    }
    return 0;
}

/* A mail address that begins at `at`. */
static size_t mail(struct str text, size_t at)
{
    size_t end = at;
    while (end < text.len && text.ptr[end] != '\0' && in_mail(text.ptr[end])) {
        end++;
    }
    if (end == at || end == text.len || text.ptr[end] != '@') {
        return 0;
    }
    size_t domain = ++end;
    bool dot = false;
    while (end < text.len && (is_alnum(text.ptr[end]) || strchr(".-", text.ptr[end]) != NULL)) {
        dot |= text.ptr[end] == '.' && end > domain;
        end++;
    }
    return dot ? end - at : 0;
}

/* Four numbers up to 255 with points between them, at `at`. */
static size_t address(struct str text, size_t at)
{
    size_t end = at;
    for (int part = 0; part < 4; part++) {
        int value = 0;
        size_t digits = end;
        while (end < text.len && end - digits < 3 && text.ptr[end] >= '0' && text.ptr[end] <= '9') {
            value = value * 10 + (text.ptr[end++] - '0');
        }
        if (end == digits || value > 255 ||
            (part < 3 && (end == text.len || text.ptr[end++] != '.'))) {
            return 0;
        }
    }
    bool more = end < text.len &&
                (in_word(text.ptr[end]) ||
                 (text.ptr[end] == '.' && end + 1 < text.len && is_alnum(text.ptr[end + 1])));
    return more ? 0 : end - at;
}

void privacy_text(const struct privacy *privacy, struct str text, bool words, struct buf *out)
{
    size_t at = 0;
    while (at < text.len) {
        const char *instead = NULL;
        size_t len = words ? known(privacy, text, at, &instead) : 0;
        bool begins = at == 0 || !in_mail(text.ptr[at - 1]);
        if (len == 0 && begins && (len = mail(text, at)) > 0) {
            instead = "[mail]";
        }
        if (len == 0 && begins && (len = address(text, at)) > 0) {
            instead = "[host]";
        }
        if (len == 0 && str_starts(str_n(text.ptr + at, text.len - at), "://")) {
            buf_add_c(out, "://");
            at += 3;
            len = host_of(str_n(text.ptr + at, text.len - at)).len;
            instead = len > 0 ? "[host]" : NULL;
        }
        if (instead != NULL) {
            buf_add_c(out, instead);
            at += len;
        } else if (at < text.len) {
            buf_add_char(out, text.ptr[at++]);
        }
    }
}

/* ------------------------------------------------------------------ a document */

static void clean(const struct privacy *privacy, struct json_object *value, bool words)
{
    if (json_is_object(value)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            clean(privacy, member, words);
        }
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_len(value); i++) {
            clean(privacy, json_item(value, i), words);
        }
    } else if (json_object_is_type(value, json_type_string)) {
        struct str text = json_value_str(value);
        AUTO_BUF struct buf cleaned = BUF_INIT(TEXT_MAX);
        privacy_text(privacy, text, words, &cleaned);
        if (buf_failed(&cleaned) || !str_equal(text, buf_str(&cleaned))) {
            /* What does not fit is cut. */
            (void)json_object_set_string_len(value, cleaned.data, (int)cleaned.len);
        }
    }
}

void privacy_clean(const struct privacy *privacy, struct json_object *root)
{
    json_object_object_foreach(root, key, part)
    {
        clean(privacy, part, strcmp(key, "untrusted") == 0);
    }
}
