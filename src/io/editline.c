#include "io/editline.h"

#include "base/check.h"
#include "library.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <wchar.h>

#define KEYS_MAX 8  /* characters of one key */
#define RAW_MAX  16 /* bytes of one key */
#define ESC      '\033'
#define CTRL_R   '\022' /* and the character \037 stands for the key Delete */

/* ------------------------------------------------------------------ the library */

/* clang-format off */
#define FUNCTIONS(X) \
    X(el_init_fd) X(el_end) X(el_set) X(el_get) X(el_gets) X(el_line) X(el_insertstr) \
    X(el_deletestr) X(el_resize) X(history_init) X(history_end) X(history)
/* clang-format on */

static struct {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} lib;

static const struct library_function functions[] = {
#define X(name) {#name, &lib.name},
    FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libedit.so.2"},
                                 .package = "libedit2",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

/* ------------------------------------------------------------------ modes of the terminal */

static struct {
    volatile sig_atomic_t active;
    int fd;
    const char *leave;
    struct termios modes;
    bool is_raw;
} guard = {.fd = -1};

static void on_fatal(int signal)
{
    if (guard.active != 0) {
        guard.active = 0;
        (void)tcsetattr(guard.fd, TCSANOW, &guard.modes);
        if (guard.leave != NULL) {
            ssize_t n = write(guard.fd, guard.leave, strlen(guard.leave));
            (void)n;
        }
    }
    (void)raise(signal); /* SA_RESETHAND: dies of it */
}

void editline_guard(int fd, const char *leave)
{
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct termios modes;
    guard.active = 0;
    guard.is_raw = false;
    if (fd < 0 || tcgetattr(fd, &modes) < 0) {
        return;
    }
    guard.fd = fd;
    guard.leave = leave;
    guard.modes = modes;
    guard.active = 1;
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < COUNT_OF(fatal); i++) {
        (void)sigaction(fatal[i], &action, NULL);
    }
}

int editline_raw(int fd, struct err *err)
{
    struct termios raw;
    if (tcgetattr(fd, &raw) < 0) {
        return err_set(err, ERR_TERMINAL, "%s", strerror(errno));
    }
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSANOW, &raw) < 0) {
        return err_set(err, ERR_TERMINAL, "%s", strerror(errno));
    }
    guard.is_raw = true;
    return 0;
}

void editline_cooked(void)
{
    if (guard.active != 0 && guard.is_raw) {
        (void)tcsetattr(guard.fd, TCSANOW, &guard.modes);
        guard.is_raw = false;
    }
}

void editline_size(int fd, size_t *ret_columns, size_t *ret_rows)
{
    struct winsize size;
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *ret_columns = known ? size.ws_col : 80;
    *ret_rows = known ? size.ws_row : 24;
}

/* ------------------------------------------------------------------ start and end */

struct editline {
    struct editline_options o;
    EditLine *el;
    History *history;
    FILE *in; /* never read: libedit asks next_key */
    FILE *out;
    FILE *nowhere;
    locale_t utf8;
    struct buf label;
    wchar_t keys[KEYS_MAX]; /* of the key that libedit handles now */
    size_t key_count;
    size_t key_at;
    char raw[RAW_MAX]; /* the beginning of a key */
    size_t raw_len;
    bool shown;
    bool fresh; /* the line has not been begun: libedit is to set it up */
    bool ended; /* a line was completed: see line */
    struct buf line;
};

static struct editline *self_of(EditLine *el)
{
    void *self = NULL;
    (void)lib.el_get(el, EL_CLIENTDATA, &self);
    return self;
}

/* Never waits: without a key left libedit gives up and keeps the line. */
static int next_key(EditLine *el, wchar_t *ret)
{
    struct editline *e = self_of(el);
    if (e->key_at == e->key_count) {
        return 0;
    }
    *ret = e->keys[e->key_at++];
    return 1;
}

static char *label_of(EditLine *el)
{
    return self_of(el)->label.data;
}

static ssize_t add_out(void *userdata, const char *bytes, size_t len)
{
    struct editline *e = userdata;
    buf_add(e->o.out, bytes, len);
    return (ssize_t)len;
}

static ssize_t drop(void *userdata, const char *bytes, size_t len)
{
    (void)userdata;
    (void)bytes;
    return (ssize_t)len;
}

static void bind_keys(struct editline *e)
{
    static const char *const keys[][2] = {{"\\037", "ed-delete-next-char"},
                                          {"\\033p", "ed-search-prev-history"},
                                          {"\\033n", "ed-search-next-history"}};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        (void)lib.el_set(e->el, EL_BIND, keys[i][0], keys[i][1], NULL);
    }
}

/* libedit converts characters by the locale of the thread; the program has none. */
static locale_t enter(const struct editline *e)
{
    return uselocale(e->utf8);
}

static int start(struct editline *e, struct err *err)
{
    HistEvent event;
    e->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    e->in = fopen("/dev/null", "re");
    e->out = fopencookie(e, "w", (cookie_io_functions_t){.write = add_out});
    e->nowhere = fopencookie(e, "w", (cookie_io_functions_t){.write = drop});
    if (e->utf8 == (locale_t)0 || e->in == NULL || e->out == NULL || e->nowhere == NULL) {
        return err_set(err, ERR_TERMINAL, "%s", strerror(errno));
    }
    locale_t before = enter(e);
    e->el = lib.el_init_fd("nightdesk", e->in, e->out, e->nowhere, e->o.in_fd, e->o.out_fd,
                           e->o.out_fd);
    e->history = lib.history_init();
    int rc = 0;
    if (e->el == NULL || e->history == NULL) {
        rc = err_set(err, ERR_TERMINAL, "libedit does not accept it");
    } else {
        (void)lib.history(e->history, &event, H_SETSIZE, EDITLINE_HISTORY_MAX);
        (void)lib.history(e->history, &event, H_SETUNIQUE, 1);
        (void)lib.el_set(e->el, EL_CLIENTDATA, (void *)e);
        (void)lib.el_set(e->el, EL_GETCFN, next_key);
        (void)lib.el_set(e->el, EL_PROMPT_ESC, label_of, '\1');
        (void)lib.el_set(e->el, EL_EDITOR, "emacs");
        (void)lib.el_set(e->el, EL_SIGNAL, 0);
        (void)lib.el_set(e->el, EL_HIST, lib.history, e->history);
        bind_keys(e);
        buf_clear(e->o.out); /* what libedit says of the terminal */
    }
    (void)uselocale(before);
    return rc;
}

int editline_new(const struct editline_options *options, struct editline **ret, struct err *err)
{
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    struct editline *e = calloc(1, sizeof(*e));
    ASSERT(e != NULL);
    e->o = *options;
    e->fresh = true;
    buf_init(&e->label, 256);
    buf_init(&e->line, EDITLINE_MAX * 4);
    buf_add_c(&e->label, options->label);
    editline_guard(options->in_fd, NULL);
    rc = start(e, err);
    if (rc < 0) {
        editline_free(e);
        return rc;
    }
    *ret = e;
    return 0;
}

void editline_free(struct editline *e)
{
    if (e == NULL) {
        return;
    }
    if (e->el != NULL) {
        locale_t before = enter(e);
        editline_hide(e);
        lib.el_end(e->el);
        (void)uselocale(before);
    }
    if (e->history != NULL) {
        lib.history_end(e->history);
    }
    editline_guard(-1, NULL);
    FILE *const files[] = {e->in, e->out, e->nowhere};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (files[i] != NULL) {
            (void)fclose(files[i]);
        }
    }
    if (e->utf8 != (locale_t)0) {
        freelocale(e->utf8);
    }
    buf_release(&e->label);
    buf_release(&e->line);
    free(e);
}

/* ------------------------------------------------------------------ drawing */

/* Adds the columns of a text to those before it; a wide character does not fit the last one. */
static size_t add_width(size_t at, const char *text, size_t len, size_t columns)
{
    bool hidden = false;
    for (size_t i = 0; i < len;) {
        wchar_t c = 0;
        mbstate_t state = {0};
        size_t n = mbrtowc(&c, text + i, len - i, &state);
        n = n == 0 || n > len - i ? 1 : n;
        int width = c == L'\1' ? 0 : wcwidth(c);
        hidden = hidden != (c == L'\1');
        if (!hidden && width > 0) {
            at += width == 2 && at % columns == columns - 1 ? 1 : 0;
            at += (size_t)width;
        } else if (!hidden && width < 0 && c != L'\1') {
            at += 2; /* ^X */
        }
        i += n;
    }
    return at;
}

void editline_show(struct editline *e)
{
    if (e->shown) {
        return;
    }
    locale_t before = enter(e);
    if (e->fresh) {
        (void)lib.el_set(e->el, EL_UNBUFFERED, 0);
        (void)lib.el_set(e->el, EL_UNBUFFERED, 1); /* empties the line, draws */
        e->fresh = false;
    } else {
        (void)lib.el_set(e->el, EL_REFRESH);
    }
    (void)fflush(e->out);
    (void)uselocale(before);
    e->shown = true;
}

/* libedit does not tell where the cursor is. */
static size_t cursor_row(struct editline *e)
{
    size_t columns = 0, rows = 0;
    editline_size(e->o.out_fd, &columns, &rows);
    const LineInfo *line = lib.el_line(e->el);
    size_t at = add_width(0, e->label.data, e->label.len, columns);
    at = add_width(at, line->buffer, (size_t)(line->cursor - line->buffer), columns);
    return at / columns;
}

void editline_hide(struct editline *e)
{
    if (!e->shown) {
        return;
    }
    locale_t before = enter(e);
    size_t row = cursor_row(e);
    (void)uselocale(before);
    buf_add_c(e->o.out, "\r");
    if (row > 0) {
        buf_addf(e->o.out, "\033[%zuA", row);
    }
    buf_add_c(e->o.out, "\033[J");
    e->shown = false;
}

void editline_resize(struct editline *e)
{
    bool shown = e->shown;
    editline_hide(e);
    locale_t before = enter(e);
    lib.el_resize(e->el);
    if (!e->fresh) {
        (void)lib.el_set(e->el, EL_PREP_TERM, 1);
    }
    (void)fflush(e->out);
    (void)uselocale(before);
    if (shown) {
        editline_show(e);
    }
}

void editline_discard(struct editline *e)
{
    editline_hide(e);
    e->raw_len = 0;
    e->fresh = true;
    editline_show(e);
}

/* ------------------------------------------------------------------ the line */

struct str editline_before_cursor(struct editline *e)
{
    if (e->fresh) {
        return str_c("");
    }
    locale_t before = enter(e);
    const LineInfo *line = lib.el_line(e->el);
    (void)uselocale(before);
    return str_n(line->buffer, (size_t)(line->cursor - line->buffer));
}

static size_t line_len(struct editline *e)
{
    locale_t before = enter(e);
    const LineInfo *line = lib.el_line(e->el);
    (void)uselocale(before);
    return e->fresh ? 0 : (size_t)(line->lastchar - line->buffer);
}

bool editline_is_empty(struct editline *e)
{
    return line_len(e) == 0;
}

void editline_replace(struct editline *e, size_t bytes, struct str text)
{
    struct str line = editline_before_cursor(e);
    ASSERT(bytes <= line.len);
    int count = 0;
    for (size_t i = line.len - bytes; i < line.len; i++) {
        count += ((unsigned char)line.ptr[i] & 0xC0) != 0x80 ? 1 : 0;
    }
    AUTO_BUF struct buf copy = BUF_INIT(EDITLINE_MAX);
    buf_add_str(&copy, text);
    bool shown = e->shown;
    editline_hide(e);
    locale_t before = enter(e);
    if (count > 0) {
        lib.el_deletestr(e->el, count);
    }
    if (!buf_failed(&copy)) {
        (void)lib.el_insertstr(e->el, copy.data);
    }
    (void)uselocale(before);
    if (shown) {
        editline_show(e);
    }
}

void editline_remember(struct editline *e, struct str line)
{
    HistEvent event;
    AUTO_BUF struct buf copy = BUF_INIT(EDITLINE_MAX);
    buf_add_str(&copy, line);
    locale_t before = enter(e);
    if (!buf_failed(&copy) && copy.len > 0) {
        (void)lib.history(e->history, &event, H_ENTER, copy.data);
    }
    (void)uselocale(before);
}

/* ------------------------------------------------------------------ keys */

/* What a sequence of a terminal stands for; "" for unknown ones. */
static const char *meaning(struct str key)
{
    static const char *const table[][2] = {{"A", "\020"},     {"B", "\016"},     {"C", "\006"},
                                           {"D", "\002"},     {"H", "\001"},     {"F", "\005"},
                                           {"1~", "\001"},    {"7~", "\001"},    {"4~", "\005"},
                                           {"8~", "\005"},    {"3~", "\037"},    {"1;5C", "\033f"},
                                           {"1;5D", "\033b"}, {"1;3C", "\033f"}, {"1;3D", "\033b"},
                                           {"3;5~", "\033d"}, {"5~", "\033p"},   {"6~", "\033n"}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (str_equal_c(key, table[i][0])) {
            return table[i][1];
        }
    }
    return "";
}

/* The number of bytes of the key at the front of raw; 0: it is not complete. */
static size_t key_size(const char *raw, size_t len)
{
    unsigned char first = (unsigned char)raw[0];
    if (first == ESC) {
        if (len < 2) {
            return 0;
        }
        if (raw[1] != '[' && raw[1] != 'O') {
            return 2;
        }
        for (size_t i = 2; i < len; i++) {
            if (raw[i] >= 0x40 && raw[i] <= 0x7E) {
                return i + 1;
            }
        }
        return len == RAW_MAX ? len : 0;
    }
    size_t want = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 1;
    return len < want ? 0 : want;
}

static void set_keys(struct editline *e, const char *text, size_t len)
{
    e->key_at = 0;
    e->key_count = 0;
    for (size_t i = 0; i < len && e->key_count < KEYS_MAX; i++) {
        e->keys[e->key_count++] = (unsigned char)text[i];
    }
}

/* Translates a key for libedit. False: it has no effect. */
static bool translate(struct editline *e, const char *raw, size_t len)
{
    if (raw[0] == ESC && len > 2) {
        const char *means = meaning(str_n(raw + 2, len - 2));
        set_keys(e, means, strlen(means));
    } else if (raw[0] == ESC) {
        /* Alt-X asks for the name of a function, and reads on. */
        bool known = strchr("bfdBFDpnPNlucLUC\177\010", raw[1]) != NULL && raw[1] != '\0';
        set_keys(e, raw, known ? 2 : 0);
    } else if (raw[0] == CTRL_R) { /* libedit gives it the terminal's own meaning */
        set_keys(e, "\033p", 2);
    } else if (len == 1 && (unsigned char)raw[0] < 0x80) {
        /* ^V and ^X read on; ^O, ^Q and ^S are the terminal's. */
        set_keys(e, raw, strchr("\026\030\017\021\023\037", raw[0]) == NULL);
    } else {
        mbstate_t state = {0};
        e->key_at = 0;
        e->key_count =
            str_utf8_size(str_n(raw, len)) == len && mbrtowc(&e->keys[0], raw, len, &state) == len
                ? 1
                : 0;
    }
    return e->key_count > 0;
}

static void run_key(struct editline *e)
{
    size_t before = e->key_at;
    while (e->key_at < e->key_count && !e->ended) {
        int count = 0;
        const char *line = lib.el_gets(e->el, &count);
        if (line != NULL && count > 0 && line[count - 1] == '\n') {
            buf_clear(&e->line);
            buf_add(&e->line, line, (size_t)count - 1);
            e->shown = false;
            e->fresh = true;
            e->ended = true;
        } else if (e->key_at == before) {
            break; /* libedit wants no more of it */
        }
        before = e->key_at;
    }
    e->key_count = 0;
    e->key_at = 0;
}

static void handle_key(struct editline *e, const char *raw, size_t len)
{
    editline_show(e);
    size_t has = line_len(e);
    if (raw[0] == '\t') {
        e->o.on_tab(editline_before_cursor(e), e->o.userdata);
    } else if (raw[0] == '\004' && has == 0) {
        editline_hide(e);
        e->ended = true;
        e->o.on_end(e->o.userdata);
    } else if (has + 8 > EDITLINE_MAX && (unsigned char)raw[0] >= ' ' && raw[0] != '\177') {
        buf_add_c(e->o.out, "\a");
    } else {
        locale_t before = enter(e);
        if (translate(e, raw, len)) {
            run_key(e);
        }
        (void)fflush(e->out);
        (void)uselocale(before);
        if (e->ended) {
            e->o.on_line(buf_str(&e->line), e->o.userdata);
        }
    }
}

size_t editline_feed(struct editline *e, const char *bytes, size_t len)
{
    size_t used = 0;
    e->ended = false;
    while (used < len && !e->ended) {
        if (e->raw_len > 0 && (unsigned char)e->raw[0] >= 0x80 &&
            ((unsigned char)bytes[used] & 0xC0) != 0x80) {
            e->raw_len = 0; /* a character that is not complete */
        }
        e->raw[e->raw_len++] = bytes[used++];
        size_t size = key_size(e->raw, e->raw_len);
        if (size > 0) {
            char key[RAW_MAX];
            size_t rest = e->raw_len;
            memcpy(key, e->raw, rest);
            e->raw_len = 0;
            handle_key(e, key, rest);
        }
    }
    return used;
}
