/*
 * llm_prompt.h: a prompt of the model, from prompts/<name>.md: front matter (YAML between two lines
 * of ---) with id, model, inputs and output (a JSON schema, or the
 * word text), then the text.
 *
 *     rc = llm_prompt_load("auditor", &prompt, err);
 *     ask(prompt->text, prompt->schema); llm_prompt_free(prompt);
 *
 * Always true: the schema is parsed JSON; the model "configured" becomes NULL.
 * Thread: any.
 */
#pragma once

#include "base/err.h"

struct json_object;

struct llm_prompt {
    char id[64];
    char *model; /* NULL: claude.model */
    char *text;
    struct json_object *schema; /* NULL: the answer is a text */
};

int llm_prompt_load(const char *name, struct llm_prompt **ret, struct err *err);
/* The same, from the text of the file. */
int llm_prompt_parse(const char *data, struct llm_prompt **ret, struct err *err);
void llm_prompt_free(struct llm_prompt *prompt);
