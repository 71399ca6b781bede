#include "chat/prompt.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "io/editline.h"
#include "io/file.h"
#include "render_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LABEL         "nightdesk> "
#define FILE_BYTES    ((size_t)256 * 1024) /* of the history that is read */
#define DESCRIBED_MAX 40                   /* candidates that are listed with their help */
#define TEXT_WIDTH    20                   /* at least; of a candidate in such a list */

struct prompt {
    struct prompt_options o;
    struct editline *editline;
    struct buf history; /* path */
    struct buf asked;   /* the text whose completions were asked for */
    bool waits;         /* for them */
};

bool prompt_fits(int in_fd, int out_fd)
{
    const char *term = getenv("TERM");
    return isatty(in_fd) == 1 && isatty(out_fd) == 1 && term != NULL && term[0] != '\0' &&
           strcmp(term, "dumb") != 0;
}

bool prompt_has_colour(int out_fd)
{
    const char *none = getenv("NO_COLOR");
    return prompt_fits(out_fd, out_fd) && (none == NULL || none[0] == '\0');
}

/* ------------------------------------------------------------------ the history on disk */

void prompt_history_path(const char *state_dir, struct buf *out)
{
    buf_addf(out, "%s/history-%lld", state_dir, (long long)geteuid());
}

/* The file of this user alone: no link, nothing but a regular file. */
static int open_history(const char *path, int flags)
{
    struct stat st;
    AUTO_FD int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        ((st.st_mode & 0777) != 0600 && fchmod(fd, 0600) < 0)) {
        return -1;
    }
    return TAKE_FD(fd);
}

/* Without its first line if the file is longer than FILE_BYTES. */
static void read_history(int fd, struct buf *out)
{
    struct stat st;
    bool cut = fstat(fd, &st) == 0 && st.st_size > (off_t)FILE_BYTES;
    off_t at = cut ? st.st_size - (off_t)FILE_BYTES : 0;
    char bytes[4096];
    ssize_t n;
    while ((n = pread(fd, bytes, sizeof(bytes), at)) > 0 && !buf_failed(out)) {
        buf_add(out, bytes, (size_t)n);
        at += n;
    }
    const char *feed = cut ? memchr(out->data, '\n', out->len) : NULL;
    if (feed != NULL) {
        size_t skip = (size_t)(feed - out->data) + 1;
        memmove(out->data, out->data + skip, out->len - skip);
        buf_truncate(out, out->len - skip);
    }
}

static struct str newest_lines(struct str text, size_t max)
{
    size_t lines = 0;
    for (size_t i = text.len; i > 0; i--) {
        lines += text.ptr[i - 1] == '\n' ? 1 : 0;
        if (lines > max) {
            return str_n(text.ptr + i, text.len - i);
        }
    }
    return text;
}

static void load_history(struct prompt *prompt)
{
    AUTO_FD int fd = open_history(prompt->history.data, O_RDONLY);
    AUTO_BUF struct buf text = BUF_INIT(2 * FILE_BYTES);
    struct err err = {0};
    if (fd < 0) {
        return;
    }
    read_history(fd, &text);
    struct str rest = newest_lines(buf_str(&text), EDITLINE_HISTORY_MAX), line;
    struct str all = buf_str(&text);
    bool grown = newest_lines(all, (size_t)2 * EDITLINE_HISTORY_MAX).len < all.len ||
                 all.len > FILE_BYTES / 2;
    if (grown && rest.len < all.len && file_write(prompt->history.data, rest, 0600, &err) < 0) {
        log_err(LOG_LEVEL_DEBUG, &err, "could not shorten the history");
    }
    while (str_split(&rest, '\n', &line)) {
        if (line.len > 0 && str_is_utf8(line)) {
            editline_remember(prompt->editline, line);
        }
    }
}

void prompt_remember(struct prompt *prompt, struct str line, enum line_keep keep)
{
    AUTO_BUF struct buf text = BUF_INIT(EDITLINE_MAX + 1);
    if (keep == LINE_KEEP_NOT || line.len == 0) {
        return;
    }
    editline_remember(prompt->editline, line);
    if (keep != LINE_KEEP_ALWAYS || prompt->history.len == 0) {
        return;
    }
    AUTO_FD int fd = open_history(prompt->history.data, O_WRONLY | O_APPEND | O_CREAT);
    buf_add_str(&text, line);
    buf_add_char(&text, '\n');
    if (fd >= 0 && !buf_failed(&text) && write(fd, text.data, text.len) < 0) {
        LOG(DEBUG, "could not write the history: %s", strerror(errno));
    }
}

/* ------------------------------------------------------------------ completion */

static void on_tab(struct str before_cursor, void *userdata)
{
    struct prompt *prompt = userdata;
    buf_clear(&prompt->asked);
    buf_add_str(&prompt->asked, before_cursor);
    prompt->waits = true;
    prompt->o.complete(buf_str(&prompt->asked), prompt->o.userdata);
}

static bool same_letter(char a, char b)
{
    char lower_a = (char)(a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a);
    char lower_b = (char)(b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b);
    return lower_a == lower_b;
}

/* What all candidates begin with, as the first one spells it. */
static struct str common_text(const struct completions *c)
{
    struct str common = str_c(c->items[0].text);
    for (size_t i = 1; i < c->count; i++) {
        size_t n = 0;
        while (n < common.len && same_letter(common.ptr[n], c->items[i].text[n])) {
            n++;
        }
        while (n > 0 && n < common.len && ((unsigned char)common.ptr[n] & 0xC0) == 0x80) {
            n--; /* not within a character */
        }
        common.len = n;
    }
    return common;
}

static void list_in_columns(const struct completions *c, size_t columns, struct buf *out)
{
    size_t width = 0, at = 0;
    for (size_t i = 0; i < c->count; i++) {
        size_t one = render_width(str_c(c->items[i].text)) + 2;
        width = one > width ? one : width;
    }
    for (size_t i = 0; i < c->count; i++) {
        if (at > 0 && at + width > columns) {
            buf_add_char(out, '\n');
            at = 0;
        }
        size_t one = render_width(str_c(c->items[i].text));
        buf_addf(out, "%s%*s", c->items[i].text, (int)(width - one), "");
        at += width;
    }
    buf_add_char(out, '\n');
}

static void list_with_help(const struct completions *c, size_t columns, struct buf *out)
{
    for (size_t i = 0; i < c->count; i++) {
        size_t one = render_width(str_c(c->items[i].text));
        size_t pad = one + 2 < TEXT_WIDTH ? TEXT_WIDTH - one : 2;
        struct str help = str_c(c->items[i].help);
        size_t room = columns > one + pad + 1 ? columns - one - pad - 1 : 0;
        if (render_width(help) > room) {
            help.len = room > 1 ? render_wrap(help, room - 1) : 0;
        }
        buf_addf(out, "%s%*s%.*s%s\n", c->items[i].text, (int)pad, "", STR_ARG(help),
                 help.len < strlen(c->items[i].help) && help.len > 0 ? "…" : "");
    }
}

static void list(struct prompt *prompt, const struct completions *c)
{
    size_t columns = 0, rows = 0;
    bool help = false;
    editline_size(prompt->o.out_fd, &columns, &rows);
    for (size_t i = 0; i < c->count; i++) {
        help = help || c->items[i].help[0] != '\0';
    }
    AUTO_BUF struct buf line = BUF_INIT(EDITLINE_MAX * 2);
    buf_add_c(&line, LABEL);
    buf_add_str(&line, buf_str(&prompt->asked));
    prompt_hide(prompt);
    buf_addf(prompt->o.out, "%s\n", line.data);
    if (help && c->count <= DESCRIBED_MAX && c->count + 4 < rows) {
        list_with_help(c, columns, prompt->o.out);
    } else if (c->count > 0) {
        list_in_columns(c, columns, prompt->o.out);
    }
    if (c->count == 0) {
        buf_addf(prompt->o.out, "%s\n", c->hint);
    } else if (c->more) {
        buf_add_c(prompt->o.out, "…\n");
    }
    prompt_show(prompt);
}

void prompt_completions(struct prompt *prompt, const struct completions *c)
{
    struct str now = editline_before_cursor(prompt->editline);
    bool current = prompt->waits && str_equal(now, buf_str(&prompt->asked));
    prompt->waits = false;
    if (!current || c->from > now.len) {
        return;
    }
    if (c->count == 0) {
        if (c->hint[0] != '\0') {
            list(prompt, c);
        } else {
            buf_add_c(prompt->o.out, "\a");
        }
        return;
    }
    struct str common = common_text(c);
    size_t has = now.len - c->from;
    AUTO_BUF struct buf text = BUF_INIT(256);
    buf_add_str(&text, common);
    if (c->count == 1 && !c->more && (common.len == 0 || common.ptr[common.len - 1] != '=')) {
        buf_add_char(&text, ' ');
    }
    if (common.len > has || c->count == 1) {
        editline_replace(prompt->editline, has, buf_str(&text));
    } else {
        list(prompt, c);
    }
}

/* ------------------------------------------------------------------ the line */

static void on_line(struct str line, void *userdata)
{
    struct prompt *prompt = userdata;
    struct str trimmed = str_trim(line);
    prompt->waits = false;
    prompt->o.submit(trimmed, prompt->o.userdata);
}

static void on_end(void *userdata)
{
    struct prompt *prompt = userdata;
    prompt->o.end(prompt->o.userdata);
}

int prompt_new(const struct prompt_options *options, struct prompt **ret, struct err *err)
{
    struct prompt *prompt = calloc(1, sizeof(*prompt));
    ASSERT(prompt != NULL);
    prompt->o = *options;
    buf_init(&prompt->history, 4096);
    buf_init(&prompt->asked, EDITLINE_MAX * 2);
    const char *label =
        prompt_has_colour(options->out_fd) ? "\1\033[1m\1nightdesk>\1\033[0m\1 " : LABEL;
    int rc = editline_new(&(struct editline_options){.in_fd = options->in_fd,
                                                     .out_fd = options->out_fd,
                                                     .label = label,
                                                     .out = options->out,
                                                     .on_line = on_line,
                                                     .on_tab = on_tab,
                                                     .on_end = on_end,
                                                     .userdata = prompt},
                          &prompt->editline, err);
    if (rc < 0) {
        prompt_free(prompt);
        return rc;
    }
    if (options->history != NULL) {
        buf_add_c(&prompt->history, options->history);
        load_history(prompt);
    }
    *ret = prompt;
    return 0;
}

void prompt_free(struct prompt *prompt)
{
    if (prompt == NULL) {
        return;
    }
    editline_free(prompt->editline);
    buf_release(&prompt->history);
    buf_release(&prompt->asked);
    free(prompt);
}

size_t prompt_feed(struct prompt *prompt, const char *bytes, size_t len)
{
    return editline_feed(prompt->editline, bytes, len);
}

void prompt_show(struct prompt *prompt)
{
    editline_show(prompt->editline);
}

void prompt_hide(struct prompt *prompt)
{
    editline_hide(prompt->editline);
}

void prompt_resize(struct prompt *prompt)
{
    editline_resize(prompt->editline);
}

bool prompt_is_empty(struct prompt *prompt)
{
    return editline_is_empty(prompt->editline);
}

void prompt_discard(struct prompt *prompt)
{
    editline_discard(prompt->editline);
}
