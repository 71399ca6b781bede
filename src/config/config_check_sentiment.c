#include "config/sentiment.h"
#include "config_read.h"

#include <string.h>

void config_check_sentiment(struct load *load, const struct yaml_node *root)
{
    const struct config *c = load->config;
    const struct yaml_node *list = yaml_get(yaml_get(root, "sentiment"), "sources");
    char names[CONFIG_SENTIMENT_SOURCES][sizeof(((struct config_sentiment *)0)->name)] = {0};
    for (int i = 0; i < c->sentiment_sources.count && i < CONFIG_SENTIMENT_SOURCES; i++) {
        const struct yaml_node *node = yaml_at(list, (size_t)i);
        struct config_sentiment source;
        AUTO_BUF struct buf why = BUF_INIT(256);
        if (!config_sentiment_parse(c->sentiment_sources.items[i], &source, &why)) {
            detail_problem(load, ERR_CONFIG_TYPE, node, "sentiment.sources: %s", why.data);
            continue;
        }
        memcpy(names[i], source.name, sizeof(names[i]));
        for (int j = 0; j < i; j++) {
            if (strcmp(names[i], names[j]) == 0) {
                detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                               "sentiment.sources: the name %s is used twice", source.name);
            }
        }
        if (source.header && c->sentiment_header[0] == '\0' && !load->without_secrets) {
            detail_problem(load, ERR_CONFIG_MISSING, node,
                           "sentiment.header: expected a header, because %s has header=yes",
                           source.name);
        }
    }
    const char *colon = strchr(c->sentiment_header, ':');
    bool is_header =
        colon != NULL && colon != c->sentiment_header &&
        strcspn(c->sentiment_header, " \t\r\n") > (size_t)(colon - c->sentiment_header);
    if (c->sentiment_header[0] != '\0' && !is_header) { /* a secret: never shown */
        detail_problem(load, ERR_CONFIG_TYPE, yaml_get(yaml_get(root, "sentiment"), "header"),
                       "sentiment.header: expected NAME: VALUE, such as \"X-Api-Key: …\"");
    }
}
