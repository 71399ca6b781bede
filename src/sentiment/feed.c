#include "feed.h"

#include "base/auto.h"
#include "base/check.h"
#include "feed_date.h"
#include "io/xml.h"

#include <stdlib.h>
#include <string.h>

#define TITLE_MAX   1024 /* bytes that are kept of each text of an entry */
#define SUMMARY_MAX 4096
#define SHORT_MAX   512

#define ATOM        "http://www.w3.org/2005/Atom|"
#define RSS_1       "http://purl.org/rss/1.0/|"
#define RSS_090     "http://my.netscape.com/rdf/simple/0.9/|"
#define DUBLIN      "http://purl.org/dc/elements/1.1/|"

enum part {
    PART_NONE,
    PART_TITLE,
    PART_SUMMARY,
    PART_ID,
    PART_LINK,
    PART_DATE,
    PART_UPDATED, /* the last change: only without the other date */
    PARTS
};

struct feed {
    const struct config_sentiment *source;
    const struct config *config;
    int64_t now_us;
    struct sentiment_reading *reading;
    int depth;
    int entry_depth; /* of the open entry; 0: none is open */
    char root[64];   /* without its namespace */
    bool is_feed;
    enum part part; /* of the entry, that is open */
    struct buf texts[PARTS];
};

/* The name without the namespace, if that is one of a feed; NULL: another one, such as that of
 * pictures. */
static const char *plain_name(const char *name)
{
    static const char *const known[] = {ATOM, RSS_1, RSS_090};
    if (strchr(name, '|') == NULL) {
        return name;
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (str_starts(str_c(name), known[i])) {
            return name + strlen(known[i]);
        }
    }
    return NULL;
}

static enum part part_of(const char *name)
{
    static const struct {
        const char *name;
        enum part part;
    } parts[] = {
        {"title", PART_TITLE},     {"description", PART_SUMMARY},
        {"summary", PART_SUMMARY}, {"guid", PART_ID},
        {"id", PART_ID},           {"link", PART_LINK},
        {"pubDate", PART_DATE},    {"published", PART_DATE},
        {"updated", PART_UPDATED},
    };
    const char *plain = plain_name(name);
    if (strcmp(name, DUBLIN "date") == 0) {
        return PART_DATE;
    }
    for (size_t i = 0; plain != NULL && i < COUNT_OF(parts); i++) {
        if (strcmp(plain, parts[i].name) == 0) {
            return parts[i].part;
        }
    }
    return PART_NONE;
}

static bool open_root(struct feed *feed, const char *name)
{
    const char *local = strrchr(name, '|');
    local = local == NULL ? name : local + 1;
    str_cut(str_c(local), feed->root, sizeof(feed->root));
    feed->is_feed =
        strcmp(local, "rss") == 0 || strcmp(local, "RDF") == 0 || strcmp(name, ATOM "feed") == 0;
    return feed->is_feed;
}

static bool on_open(const char *name, void *userdata)
{
    struct feed *feed = userdata;
    const char *plain = plain_name(name);
    feed->depth++;
    if (feed->depth == 1) {
        return open_root(feed, name);
    }
    bool is_entry = plain != NULL && (strcmp(plain, "item") == 0 || strcmp(plain, "entry") == 0);
    if (feed->entry_depth == 0 && is_entry) {
        feed->entry_depth = feed->depth;
        for (int i = 0; i < PARTS; i++) {
            buf_clear(&feed->texts[i]);
        }
    } else if (feed->entry_depth != 0 && feed->depth == feed->entry_depth + 1) {
        feed->part = part_of(name);
        if (feed->part != PART_NONE && feed->texts[feed->part].len > 0) {
            feed->part = PART_NONE; /* the first one counts */
        }
    }
    return true;
}

static bool on_text(struct str text, void *userdata)
{
    struct feed *feed = userdata;
    if (feed->part != PART_NONE) {
        struct buf *out = &feed->texts[feed->part];
        size_t room = out->max - out->len;
        buf_add_str(out, text.len > room ? str_n(text.ptr, room) : text);
    }
    return true;
}

/* ------------------------------------------------------------------ an entry */

static bool decode_entity(struct str entity, struct buf *out)
{
    static const struct {
        const char *name;
        const char *text;
    } known[] = {{"amp", "&"},   {"lt", "<"},    {"gt", ">"},    {"quot", "\""}, {"apos", "'"},
                 {"nbsp", " "},  {"#39", "'"},   {"#8217", "’"}, {"rsquo", "’"}, {"#8216", "‘"},
                 {"lsquo", "‘"}, {"#8220", "“"}, {"#8221", "”"}, {"#8211", "–"}, {"#8212", "—"}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (str_equal_c(entity, known[i].name)) {
            buf_add_c(out, known[i].text);
            return true;
        }
    }
    return false;
}

/* A title may hold HTML, as text: tags become spaces, the common entities their characters. */
static void add_without_markup(struct str html, struct buf *out)
{
    for (size_t i = 0; i < html.len; i++) {
        const char *at = html.ptr + i;
        const char *end = memchr(at, *at == '<' ? '>' : ';', html.len - i);
        bool is_tag = *at == '<' && end != NULL && i + 1 < html.len &&
                      strchr(" \t\n0123456789=", at[1]) == NULL;
        bool is_entity = *at == '&' && end != NULL && end - at <= 10 &&
                         decode_entity(str_n(at + 1, (size_t)(end - at - 1)), out);
        if (is_tag) {
            buf_add_char(out, ' ');
        } else if (!is_entity) {
            buf_add_char(out, *at);
            continue;
        }
        i = (size_t)(end - html.ptr);
    }
}

/* Words with one space between them. */
static void add_words(struct str text, struct buf *out)
{
    struct str word;
    while (str_word(&text, &word)) {
        buf_addf(out, "%s%.*s", out->len > 0 ? " " : "", STR_ARG(word));
    }
}

static void end_entry(struct feed *feed)
{
    AUTO_BUF struct buf plain = BUF_INIT(2 * TITLE_MAX);
    AUTO_BUF struct buf title = BUF_INIT(2 * TITLE_MAX);
    struct reading_entry entry = {.summary = buf_str(&feed->texts[PART_SUMMARY])};
    struct str id = str_trim(buf_str(&feed->texts[PART_ID]));
    add_without_markup(buf_str(&feed->texts[PART_TITLE]), &plain);
    add_words(buf_str(&plain), &title);
    entry.title = buf_str(&title);
    entry.id = id.len > 0 ? id : str_trim(buf_str(&feed->texts[PART_LINK]));
    if (!feed_date_parse(buf_str(&feed->texts[PART_DATE]), &entry.published_us) &&
        !feed_date_parse(buf_str(&feed->texts[PART_UPDATED]), &entry.published_us)) {
        entry.published_us = 0;
    }
    if (entry.title.len > 0) {
        reading_add(feed->reading, feed->source, feed->config, &entry, feed->now_us);
    }
}

static bool on_close(const char *name, void *userdata)
{
    struct feed *feed = userdata;
    (void)name;
    if (feed->entry_depth != 0 && feed->depth == feed->entry_depth) {
        end_entry(feed);
        feed->entry_depth = 0;
    }
    if (feed->entry_depth == 0 || feed->depth == feed->entry_depth + 1) {
        feed->part = PART_NONE;
    }
    feed->depth--;
    return feed->reading->entries < READING_MAX;
}

int feed_read(const struct config_sentiment *source, const struct config *config, struct str body,
              int64_t now_us, struct sentiment_reading *ret, struct err *err)
{
    static const struct xml_reader reader = {.open = on_open, .close = on_close, .text = on_text};
    static const size_t most[PARTS] = {1,         TITLE_MAX, SUMMARY_MAX, SHORT_MAX,
                                       SHORT_MAX, SHORT_MAX, SHORT_MAX};
    struct feed feed = {.source = source, .config = config, .now_us = now_us, .reading = ret};
    for (int i = 0; i < PARTS; i++) {
        buf_init(&feed.texts[i], most[i]);
    }
    int rc = xml_read(body, &reader, &feed, err);
    if (rc == 0 && !feed.is_feed) {
        rc = err_set(err, ERR_SENTIMENT_ANSWER, "it is no RSS or Atom: its root is <%.40s>",
                     feed.root);
    }
    for (int i = 0; i < PARTS; i++) {
        buf_release(&feed.texts[i]);
    }
    return rc;
}
