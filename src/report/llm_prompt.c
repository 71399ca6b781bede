#include "report/llm_prompt.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/str.h"
#include "io/embed.h"
#include "io/json.h"
#include "io/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FENCE "---\n"

static void llm_prompt_free_slot(struct llm_prompt **slot)
{
    llm_prompt_free(*slot);
}

static char *copy(struct str s)
{
    char *text = strndup(s.ptr, s.len);
    ASSERT(text != NULL);
    return text;
}

int llm_prompt_parse(const char *data, struct llm_prompt **ret, struct err *err)
{
    struct str file = str_c(data);
    const char *end = str_starts(file, FENCE) ? strstr(data + strlen(FENCE), "\n" FENCE) : NULL;
    if (end == NULL) {
        return err_set(err, ERR_AUDIT_PROMPT, "front matter between two lines of --- expected");
    }
    struct str head = str_n(data + strlen(FENCE), (size_t)(end + 1 - data) - strlen(FENCE));
    struct err why = {0};
    AUTO_YAML struct yaml *yaml = NULL;
    if (yaml_parse(head, "front matter", &yaml, &why) < 0) {
        return err_set(err, ERR_AUDIT_PROMPT, "%.200s", why.context);
    }
    const struct yaml_node *root = yaml_root(yaml);
    __attribute__((cleanup(llm_prompt_free_slot))) struct llm_prompt *prompt =
        calloc(1, sizeof(*prompt));
    ASSERT(prompt != NULL);
    struct str id = yaml_text(yaml_get(root, "id"));
    struct str model = yaml_text(yaml_get(root, "model"));
    if (id.len == 0 || !str_copy(id, prompt->id, sizeof(prompt->id)) || model.len == 0 ||
        yaml_len(yaml_get(root, "inputs")) == 0) {
        return err_set(err, ERR_AUDIT_PROMPT, "id, model or inputs is missing");
    }
    struct str output = yaml_text(yaml_get(root, "output"));
    if (!str_equal_c(output, "text") &&
        (json_parse(output, &JSON_LIMITS_DEFAULT, &prompt->schema, &why) < 0 ||
         !json_is_object(prompt->schema))) {
        return err_set(err, ERR_AUDIT_PROMPT, "output is not a JSON schema: %.180s", why.context);
    }
    struct str text = str_trim(str_c(end + 1 + strlen(FENCE)));
    if (text.len == 0) {
        return err_set(err, ERR_AUDIT_PROMPT, "no text after the front matter");
    }
    prompt->model = str_equal_c(model, "configured") ? NULL : copy(model);
    prompt->text = copy(text);
    *ret = TAKE(prompt);
    return 0;
}

int llm_prompt_load(const char *name, struct llm_prompt **ret, struct err *err)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "prompts/%s.md", name);
    for (const struct embedded_file *file = embedded_files; file->path != NULL; file++) {
        if (strcmp(file->path, path) == 0) {
            int rc = llm_prompt_parse(file->data, ret, err);
            return rc < 0 ? err_prefix(err, "%s", path) : 0;
        }
    }
    return err_set(err, ERR_AUDIT_PROMPT, "%s does not exist", path);
}

void llm_prompt_free(struct llm_prompt *prompt)
{
    if (prompt == NULL) {
        return;
    }
    (void)json_object_put(prompt->schema);
    free(prompt->model);
    free(prompt->text);
    free(prompt);
}
