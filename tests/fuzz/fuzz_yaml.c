/* The YAML reader: configuration files and command manifests. */
#include "io/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_YAML struct yaml *yaml = NULL;
    struct err err = {0};
    int rc = yaml_parse(str_n((const char *)data, size), "fuzz.yaml", &yaml, &err);
    if ((rc == 0) != (yaml != NULL) || (rc < 0 && err.id != -rc)) {
        abort();
    }
    return 0;
}
