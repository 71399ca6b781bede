#include "cli_simulated.h"

#define DAYS_DEFAULT 30
#define DAYS_MAX     36500

bool cli_is_simulated(const char *data)
{
    size_t len = sizeof(CLI_SIMULATED) - 1;
    return strncmp(data, CLI_SIMULATED, len) == 0 && (data[len] == '\0' || data[len] == ':');
}

int cli_simulated_parse(const char *data, int64_t *ret_seed, int64_t *ret_days, struct err *err)
{
    struct str rest = str_c(data), part;
    int64_t seed = 1;
    int64_t days = DAYS_DEFAULT;
    (void)str_split(&rest, ':', &part);
    bool valid = rest.len == 0 || (str_split(&rest, ':', &part) && str_to_i64(part, &seed));
    if (valid && rest.len > 0) {
        valid = str_to_i64(rest, &days) && days >= 1 && days <= DAYS_MAX;
    }
    if (!valid || seed < 0) {
        return err_set(err, ERR_CLI_USAGE,
                       "--data " CLI_SIMULATED ":SEED:DAYS takes two whole numbers, DAYS up to %d",
                       DAYS_MAX);
    }
    *ret_seed = seed;
    *ret_days = days;
    return 0;
}
