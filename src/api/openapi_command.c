/* Reads docs/commands.md, which is printed from the manifests (command/manifest.h). */
#include "openapi_schema.h"

#include <string.h>

/* What is between `from` and the next `to`; false: it is not there. */
static bool between(struct str text, const char *from, const char *to, struct str *ret)
{
    const char *begin = memmem(text.ptr, text.len, from, strlen(from));
    if (begin == NULL) {
        return false;
    }
    begin += strlen(from);
    size_t left = text.len - (size_t)(begin - text.ptr);
    const char *end = memmem(begin, left, to, strlen(to));
    *ret = str_n(begin, end == NULL ? 0 : (size_t)(end - begin));
    return end != NULL;
}

/* "### /restart <service>", a blank line, "Restart a service. Role: operator. …" */
bool openapi_command_next(struct str *rest, struct openapi_command *ret)
{
    static const char mark[] = "\n### /";
    const char *begin = memmem(rest->ptr, rest->len, mark, sizeof(mark) - 1);
    if (begin == NULL) {
        return false;
    }
    begin += sizeof(mark) - 1;
    size_t left = rest->len - (size_t)(begin - rest->ptr);
    const char *end = memmem(begin, left, "\n##", 3);
    struct str section = str_n(begin, end == NULL ? left : (size_t)(end - begin));
    struct str lines = section, usage, text;
    *rest = str_n(begin + section.len, left - section.len);
    *ret = (struct openapi_command){.section = section};
    (void)str_split(&lines, '\n', &usage);
    (void)str_word(&usage, &ret->name);
    if (between(lines, "\n", "\n", &text)) {
        (void)between(text, "", " Role: ", &ret->summary);
        (void)between(text, " Role: ", ".", &ret->role);
        struct str skip;
        ret->changes = between(text, " Changes something", ":", &skip);
    }
    struct str word;
    (void)str_word(&ret->role, &word); /* "admin with the emergency grant" */
    ret->role = word;
    (void)between(section, "\nData: `", "`", &ret->data);
    return true;
}

/* "- `id` (int from 1, optional): number of an alert" */
bool openapi_argument_next(struct str *rest, struct openapi_argument *ret)
{
    struct str line, skip;
    while (str_split(rest, '\n', &line)) {
        *ret = (struct openapi_argument){0};
        if (str_starts(line, "- `") && between(line, "- `", "` (", &ret->name) &&
            between(line, "` (", "): ", &ret->rule)) {
            const char *help = ret->rule.ptr + ret->rule.len + strlen("): ");
            ret->help = str_n(help, line.len - (size_t)(help - line.ptr));
            ret->required = !between(ret->rule, ", optional", "", &skip) &&
                            !between(ret->rule, ", default ", "", &skip);
            return true;
        }
    }
    return false;
}

struct str openapi_command_example(const struct openapi_command *command)
{
    struct str examples = {0}, one = {0}, line;
    (void)between(command->section, "\nExamples: ", "\n", &examples);
    while (between(examples, "`/", "`", &line)) {
        one = line;
        const char *after = line.ptr + line.len + 1;
        examples = str_n(after, examples.len - (size_t)(after - examples.ptr));
    }
    struct str skip;
    (void)str_word(&one, &skip);
    return str_trim(one);
}
