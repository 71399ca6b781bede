#include "stream_topic.h"

#include "base/check.h"

static const struct {
    const char *name;
    enum role least;
} topics[STREAM_TOPICS] = {
    [STREAM_DECISIONS] = {"decisions", ROLE_READ_ONLY},
    [STREAM_ORDERS] = {"orders", ROLE_READ_ONLY},
    [STREAM_FILLS] = {"fills", ROLE_READ_ONLY},
    [STREAM_TRADES] = {"trades", ROLE_READ_ONLY},
    [STREAM_EQUITY] = {"equity", ROLE_READ_ONLY},
    [STREAM_STATE] = {"state", ROLE_READ_ONLY},
    [STREAM_ALERTS] = {"alerts", ROLE_READ_ONLY},
    [STREAM_FINDINGS] = {"findings", ROLE_READ_ONLY},
    [STREAM_RUNS] = {"runs", ROLE_READ_ONLY},
    [STREAM_SERVICES] = {"services", ROLE_READ_ONLY},
    [STREAM_LOGS] = {"logs", ROLE_OPERATOR},
};

const char *stream_topic_name(enum stream_topic topic)
{
    ASSERT(topic < STREAM_TOPICS);
    return topics[topic].name;
}

bool stream_filter_takes(const struct stream_filter *filter, const struct stream_about *about)
{
    if ((filter->topics & 1U << about->topic) == 0) {
        return false;
    }
    if (about->topic == STREAM_ALERTS || about->topic == STREAM_FINDINGS) {
        return about->severity >= filter->severity;
    }
    if (about->topic == STREAM_LOGS) {
        return about->level <= filter->level;
    }
    return filter->symbol.name[0] == '\0' || about->symbol.name[0] == '\0' ||
           symbol_equal(filter->symbol, about->symbol);
}

uint32_t stream_topics_of(enum role role)
{
    uint32_t all = 0;
    for (size_t i = 0; i < STREAM_TOPICS; i++) {
        all |= role >= topics[i].least ? 1U << i : 0;
    }
    return all;
}

static int read_one(struct str name, enum role role, uint32_t *ret, struct err *err)
{
    size_t nearest = 0;
    for (size_t i = 0; i < STREAM_TOPICS; i++) {
        if (str_equal_c(name, topics[i].name)) {
            *ret |= 1U << i;
            return role >= topics[i].least
                       ? 0
                       : err_set(err, ERR_ACCESS_DENIED, "topic %s needs %s, and the caller is %s",
                                 topics[i].name, role_name(topics[i].least), role_name(role));
        }
        if (str_distance(name, str_c(topics[i].name)) <
            str_distance(name, str_c(topics[nearest].name))) {
            nearest = i;
        }
    }
    return err_set(err, ERR_API_QUERY, "topics: there is no topic %.*s; did you mean %s?",
                   name.len > 40 ? 40 : (int)name.len, name.ptr, topics[nearest].name);
}

int stream_topics_read(const char *names, enum role role, uint32_t *ret, struct err *err)
{
    struct str rest = str_c(names), name;
    *ret = names == NULL ? stream_topics_of(role) : 0;
    while (names != NULL && rest.len > 0) {
        (void)str_split(&rest, ',', &name);
        int rc = read_one(str_trim(name), role, ret, err);
        if (rc < 0) {
            return rc;
        }
    }
    return *ret != 0 ? 0 : err_set(err, ERR_API_QUERY, "topics: none is given");
}
