#include "config_read.h"
#include "io/web.h"

#include <string.h>

#define NAME_MAX_LEN 127

/* As a request names it, without a port and without the dot at the end. */
static bool is_name(const char *text)
{
    struct str name;
    int port;
    return strlen(text) <= NAME_MAX_LEN && web_authority(str_c(text), &name, &port) &&
           str_equal_c(name, text);
}

/* As a browser sends it: a scheme, a name and at most a port. "*" would open the API to all pages.
 */
static bool is_origin(const char *text)
{
    struct str name;
    int port;
    bool tls;
    return strlen(text) <= NAME_MAX_LEN && web_origin(str_c(text), &tls, &name, &port);
}

void config_check_api(struct load *load, const struct yaml_node *root)
{
    const struct config *c = load->config;
    const struct yaml_node *api = yaml_get(root, "api");
    const struct yaml_node *hosts = yaml_get(api, "hosts");
    const struct yaml_node *origins = yaml_get(api, "cors_origins");
    for (int i = 0; i < c->api_hosts.count; i++) {
        if (!is_name(c->api_hosts.items[i])) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(hosts, (size_t)i),
                           "api.hosts: expected a name such as desk.example.com, without a scheme "
                           "or a port");
        }
    }
    if (c->api_public_url[0] != '\0' && !is_origin(c->api_public_url)) {
        detail_problem(load, ERR_CONFIG_TYPE, yaml_get(api, "public_url"),
                       "api.public_url: expected an address such as https://desk.example.com, "
                       "without a path");
    }
    if (c->telegram_mini_app && strncmp(c->api_public_url, "https://", 8) != 0) {
        detail_problem(load, ERR_CONFIG_RANGE, yaml_get(yaml_get(root, "telegram"), "mini_app"),
                       "telegram.mini_app: needs api.public_url with https");
    }
    for (int i = 0; i < c->api_cors_origins.count; i++) {
        if (!is_origin(c->api_cors_origins.items[i])) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(origins, (size_t)i),
                           "api.cors_origins: expected an origin such as "
                           "https://desk.example.com, without a path");
        }
    }
}
