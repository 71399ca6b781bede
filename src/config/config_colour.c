#include "base/buf.h"
#include "config/config.h"

#include <stdio.h>
#include <string.h>

#define TEMPLATE "@."

bool config_has_colours(const struct config_service *service)
{
    return strstr(service->unit, TEMPLATE) != NULL;
}

/* It is an instance of a unit, and a folder beside those of the releases. */
bool config_colour_is_valid(struct str name)
{
    static const char *const taken[] = {"releases", "info",    "incoming",
                                        "history",  "current", "update"};
    bool good = name.len > 0 && name.len < CONFIG_COLOUR_SIZE && name.ptr[0] != '-';
    for (size_t i = 0; good && i < name.len; i++) {
        char c = name.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        good = good && !str_equal_c(name, taken[i]);
    }
    return good;
}

const char *config_colour(const struct config_service *service, int index)
{
    static const char *const usual[] = {"blue", "green"};
    return service->release_colours.count == 2 ? service->release_colours.items[index]
                                               : usual[index];
}

const char *config_idle_colour(const struct config_service *service, const char *live)
{
    return config_colour(service, strcmp(live, config_colour(service, 0)) == 0 ? 1 : 0);
}

void config_unit_of(const struct config_service *service, const char *colour,
                    char ret[CONFIG_UNIT_SIZE])
{
    const char *at = strstr(service->unit, TEMPLATE);
    if (at == NULL) {
        (void)str_copy(str_c(service->unit), ret, CONFIG_UNIT_SIZE);
    } else {
        (void)snprintf(ret, CONFIG_UNIT_SIZE, "%.*s@%s%s", (int)(at - service->unit), service->unit,
                       colour, at + 1);
    }
}

void config_add_coloured(const char *text, const char *colour, struct buf *out)
{
    for (const char *at; (at = strstr(text, "%i")) != NULL; text = at + 2) {
        buf_add_str(out, str_n(text, (size_t)(at - text)));
        buf_add_c(out, colour);
    }
    buf_add_c(out, text);
}
