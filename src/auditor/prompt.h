/*
 * prompt.h: a prompt from prompts/<name>.md: front matter (YAML between two lines of ---) with id,
 * model, inputs and output (a JSON schema), then the text.
 *
 *     rc = prompt_load("auditor", &prompt, err);
 *     ask(prompt->text, prompt->schema); prompt_free(prompt);
 *
 * Always true: the schema is parsed JSON; the model "configured" becomes NULL.
 * Thread: any.
 */
#pragma once

#include "base/err.h"

struct json_object;

struct prompt {
    char id[64];
    char *model; /* NULL: claude.model */
    char *text;
    struct json_object *schema;
};

int prompt_load(const char *name, struct prompt **ret, struct err *err);
/* The same, from the text of the file. */
int prompt_parse(const char *data, struct prompt **ret, struct err *err);
void prompt_free(struct prompt *prompt);
