/* A whole configuration file: any input gives a configuration or reported problems. */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CONFIG struct config *config = NULL;
    struct config_problems problems = {0};
    struct err err = {0};
    int rc = config_parse(str_n((const char *)data, size), "fuzz.yaml", &config, &problems, &err);
    if ((rc == 0) != (config != NULL) || (rc < 0 && err.id != -rc)) {
        abort();
    }
    return 0;
}
