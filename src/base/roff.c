#include "base/roff.h"

static void add_char(struct buf *out, char c)
{
    if (c == '\\') {
        buf_add_c(out, "\\e");
    } else if (c == '-') {
        buf_add_c(out, "\\-");
    } else if (c == '`') {
        buf_add_c(out, "\\(ga");
    } else if (c == '^') {
        buf_add_c(out, "\\(ha");
    } else if (c == '~') {
        buf_add_c(out, "\\(ti");
    } else {
        buf_add_char(out, c);
    }
}

static void add_line(struct buf *out, struct str line)
{
    if (line.len > 0 && (line.ptr[0] == '.' || line.ptr[0] == '\'')) {
        buf_add_c(out, "\\&"); /* not a request */
    }
    for (size_t i = 0; i < line.len; i++) {
        add_char(out, line.ptr[i]);
    }
    buf_add_char(out, '\n');
}

void roff_head(struct buf *out, const char *name, int section, const char *purpose)
{
    buf_addf(out,
             ".\\\" Generated from the program's tables; do not edit.\n.TH \"%s\" \"%d\" \"\" "
             "\"nightdesk " NIGHTDESK_VERSION "\" \"nightdesk\"\n.SH NAME\n",
             name, section);
    buf_addf(out, "%s \\- %s\n", name, purpose);
}

void roff_section(struct buf *out, const char *title)
{
    buf_addf(out, ".SH \"%s\"\n", title);
}

void roff_subsection(struct buf *out, const char *title)
{
    buf_addf(out, ".SS \"%s\"\n", title);
}

void roff_tag(struct buf *out, const char *tag)
{
    buf_add_c(out, ".TP\n\\fB");
    struct str rest = str_c(tag);
    for (size_t i = 0; i < rest.len; i++) {
        add_char(out, rest.ptr[i]);
    }
    buf_add_c(out, "\\fR\n");
}

void roff_add(struct buf *out, const char *text)
{
    struct str rest = str_c(text);
    struct str line;
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0) {
            buf_add_c(out, ".PP\n");
        } else {
            add_line(out, line);
        }
    }
}
