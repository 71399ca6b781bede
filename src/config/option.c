#include "option.h"

/* The name of the field for each option type; see CONFIG_DECLARE_… in config.h. */
#define AT_TEXT(s, name)     offsetof(s, name)
#define AT_SECRET(s, name)   offsetof(s, name)
#define AT_URL(s, name)      offsetof(s, name)
#define AT_ENUM(s, name)     offsetof(s, name)
#define AT_INT(s, name)      offsetof(s, name)
#define AT_BOOL(s, name)     offsetof(s, name)
#define AT_FLOAT(s, name)    offsetof(s, name)
#define AT_PERCENT(s, name)  offsetof(s, name##_pct)
#define AT_DURATION(s, name) offsetof(s, name##_us)
#define AT_MONEY(s, name)    offsetof(s, name)
#define AT_INTS(s, name)     offsetof(s, name)
#define AT_TEXTS(s, name)    offsetof(s, name)
#define AT_SYMBOLS(s, name)  offsetof(s, name)

#define GROUP(group, help)   {#group, help},
#define OPT(group, name, type, fallback, minimum, maximum, unit, flags, help)
#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help)
const struct option_group option_groups[] = {
#include "config/options.def"
};
#undef GROUP
#undef OPT
#define GROUP(group, help)
#define OPT(group, name, type, fallback, minimum, maximum, unit, flags, help) \
    {#group,                                                                  \
     #name,                                                                   \
     #group "." #name,                                                        \
     OPTION_##type,                                                           \
     fallback,                                                                \
     minimum,                                                                 \
     maximum,                                                                 \
     unit,                                                                    \
     flags,                                                                   \
     help,                                                                    \
     AT_##type(struct config, group##_##name)},
const struct option option_table[] = {
#include "config/options.def"
};
#undef OPT
#undef FIELD

#define OPT(group, name, type, fallback, minimum, maximum, unit, flags, help)
#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help) \
    USER_FIELD_##owner(name, type, fallback, minimum, maximum, unit, flags, help)
#define USER_FIELD_local(name, type, fallback, minimum, maximum, unit, flags, help)
#define USER_FIELD_service(name, type, fallback, minimum, maximum, unit, flags, help)
#define USER_FIELD_check(name, type, fallback, minimum, maximum, unit, flags, help)
#define USER_FIELD_user(name, type, fallback, minimum, maximum, unit, flags, help) \
    {"user",                                                                       \
     #name,                                                                        \
     "telegram.users[]." #name,                                                    \
     OPTION_##type,                                                                \
     fallback,                                                                     \
     minimum,                                                                      \
     maximum,                                                                      \
     unit,                                                                         \
     flags,                                                                        \
     help,                                                                         \
     AT_##type(struct config_user, name)},
const struct option option_user_fields[] = {
#include "config/options.def"
};
#undef FIELD

#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help) \
    LOCAL_FIELD_##owner(name, type, fallback, minimum, maximum, unit, flags, help)
#define LOCAL_FIELD_user(name, type, fallback, minimum, maximum, unit, flags, help)
#define LOCAL_FIELD_service(name, type, fallback, minimum, maximum, unit, flags, help)
#define LOCAL_FIELD_check(name, type, fallback, minimum, maximum, unit, flags, help)
#define LOCAL_FIELD_local(name, type, fallback, minimum, maximum, unit, flags, help) \
    {"local",                                                                        \
     #name,                                                                          \
     "api.local_users[]." #name,                                                     \
     OPTION_##type,                                                                  \
     fallback,                                                                       \
     minimum,                                                                        \
     maximum,                                                                        \
     unit,                                                                           \
     flags,                                                                          \
     help,                                                                           \
     AT_##type(struct config_local, name)},
const struct option option_local_fields[] = {
#include "config/options.def"
};
#undef FIELD

#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help) \
    SERVICE_FIELD_##owner(name, type, fallback, minimum, maximum, unit, flags, help)
#define SERVICE_FIELD_user(name, type, fallback, minimum, maximum, unit, flags, help)
#define SERVICE_FIELD_local(name, type, fallback, minimum, maximum, unit, flags, help)
#define SERVICE_FIELD_check(name, type, fallback, minimum, maximum, unit, flags, help)
#define SERVICE_FIELD_service(name, type, fallback, minimum, maximum, unit, flags, help) \
    {"service",                                                                          \
     #name,                                                                              \
     "services.<name>." #name,                                                           \
     OPTION_##type,                                                                      \
     fallback,                                                                           \
     minimum,                                                                            \
     maximum,                                                                            \
     unit,                                                                               \
     flags,                                                                              \
     help,                                                                               \
     AT_##type(struct config_service, name)},
const struct option option_service_fields[] = {
#include "config/options.def"
};
#undef FIELD

#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help) \
    CHECK_FIELD_##owner(name, type, fallback, minimum, maximum, unit, flags, help)
#define CHECK_FIELD_user(name, type, fallback, minimum, maximum, unit, flags, help)
#define CHECK_FIELD_local(name, type, fallback, minimum, maximum, unit, flags, help)
#define CHECK_FIELD_service(name, type, fallback, minimum, maximum, unit, flags, help)
#define CHECK_FIELD_check(name, type, fallback, minimum, maximum, unit, flags, help) \
    {"check",                                                                        \
     #name,                                                                          \
     "services.<name>.checks.<check>." #name,                                        \
     OPTION_##type,                                                                  \
     fallback,                                                                       \
     minimum,                                                                        \
     maximum,                                                                        \
     unit,                                                                           \
     flags,                                                                          \
     help,                                                                           \
     AT_##type(struct config_check, name)},
const struct option option_check_fields[] = {
#include "config/options.def"
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
const size_t option_group_count = LENGTH(option_groups);
const size_t option_count = LENGTH(option_table);
const size_t option_user_field_count = LENGTH(option_user_fields);
const size_t option_local_field_count = LENGTH(option_local_fields);
const size_t option_service_field_count = LENGTH(option_service_fields);
const size_t option_check_field_count = LENGTH(option_check_fields);

const char *option_type_name(enum option_type type)
{
    static const char *const names[] = {
        [OPTION_TEXT] = "text",
        [OPTION_SECRET] = "secret",
        [OPTION_URL] = "URL",
        [OPTION_ENUM] = "word",
        [OPTION_INT] = "whole number",
        [OPTION_BOOL] = "true or false",
        [OPTION_FLOAT] = "number",
        [OPTION_PERCENT] = "percentage",
        [OPTION_DURATION] = "duration",
        [OPTION_MONEY] = "amount",
        [OPTION_INTS] = "list of whole numbers",
        [OPTION_TEXTS] = "list of texts",
        [OPTION_SYMBOLS] = "list of symbols",
    };
    return names[type];
}

bool option_is_list(enum option_type type)
{
    return type == OPTION_INTS || type == OPTION_TEXTS || type == OPTION_SYMBOLS;
}
