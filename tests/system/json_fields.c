/*
 * Compares documents with docs/json.md, for tests in shell:
 *
 *     json_fields PAGE < DOCUMENTS
 *
 * Reads one document, or one in each line. Exits with 1, and says why, if one has no `schema`, or a
 * member that the page does not describe.
 */
#include "base/auto.h"
#include "fakes/json_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)64 << 20)

static const struct json_limits limits = {.max_bytes = INPUT_MAX, .max_depth = 32};

static bool check(struct str page, const struct json_object *document)
{
    AUTO_BUF struct buf why = BUF_INIT(4096);
    const char *schema = json_text(document, "schema");
    if (schema[0] == '\0') {
        (void)printf("no schema\n");
        return false;
    }
    bool fits = json_page_describes(page, schema, document, NULL, &why);
    if (!fits) {
        (void)printf("%s: %s\n", schema, why.data);
    }
    return fits;
}

int main(int argc, char **argv)
{
    AUTO_BUF struct buf page = BUF_INIT(INPUT_MAX);
    AUTO_BUF struct buf input = BUF_INIT(INPUT_MAX);
    AUTO_JSON struct json_object *whole = NULL;
    struct err err = {0};
    if (argc != 2 || json_page_read(argv[1], &page, &err) < 0) {
        (void)fprintf(stderr, "usage: %s PAGE < DOCUMENTS %s\n", argv[0], err.context);
        return 2;
    }
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof(part), stdin)) > 0;) {
        buf_add(&input, part, n);
    }
    if (json_parse(buf_str(&input), &limits, &whole, NULL) == 0) {
        return check(buf_str(&page), whole) ? 0 : 1;
    }
    struct str rest = buf_str(&input);
    struct str line;
    bool fits = true;
    int count = 0;
    while (fits && str_split(&rest, '\n', &line)) {
        AUTO_JSON struct json_object *one = NULL;
        if (str_trim(line).len == 0) {
            continue;
        }
        count++;
        if (json_parse(line, &limits, &one, &err) < 0) {
            (void)printf("not JSON: %s: %.80s\n", err.context, line.ptr);
            fits = false;
        } else {
            fits = check(buf_str(&page), one);
        }
    }
    return fits && count > 0 ? 0 : 1;
}
