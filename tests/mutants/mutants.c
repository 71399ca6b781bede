/*
 * Tests the tests of a module: changes one line of its source at a time, builds the module's test
 * with it, and lists the changes that no test notices (survivors).
 *
 *     mutants NAME COMPILE LINK TEST OPTIONS... -- FILE...
 *
 * COMPILE: shell command for an object. @IN@ is the changed source, @OUT@ the object, @DIR@ the
 *     folder of the original.
 * LINK: shell command for the test. @OUT@ is the program. The word build/.../FILE.o in it is
 *     replaced by the changed object.
 * TEST: shell command; @OUT@ is the program.
 * OPTIONS: --count N (300) --seed N (1) --jobs N (2) --limit SECONDS (20) --work FOLDER
 *     --again COMPILE --again-link LINK: builds of a survivor with AddressSanitizer, as `make test`
 *         runs the tests, too. A leak or a read past an array is noticed only there.
 *     --equivalent FILE --survivors FILE
 *     --only FILE: tries the survivors of an earlier run again, and no other change.
 *
 * A line is changed in one way: a comparison, a sign, a constant by one, && and ||, a negated
 * condition, a returned value, or a statement that is deleted. The sample of the lines depends on
 * the seed and on each line's own text, so that an edit elsewhere does not draw another one.
 * Changes that do not compile or give the same object are left out. Nothing is written outside of
 * --work and --survivors.
 *
 * The file --equivalent lists changes that cannot change what the module does, one a line:
 *     FILE | function | line | changed line | reason
 * An entry that fits no line any more, or whose change a test notices, is reported as stale. The
 * exit status is 1 if there is a survivor or a stale entry.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MUTANTS_MAX = 60000,
    LINE_MAX_BYTES = 256,
    FILES_MAX = 64,
    COMMAND_MAX = 32768,
    ENTRIES_MAX = 1000,
    ENTRY_MAX_BYTES = 1024,
    AGAIN_SLOWER = 4 /* than without AddressSanitizer */
};

enum state { WAITING, UNUSED, KILLED, TIMED_OUT, SURVIVED, EQUIVALENT };

struct mutant {
    int file;
    int line; /* from 1 */
    char function[64];
    char before[LINE_MAX_BYTES], after[LINE_MAX_BYTES];
    uint64_t order; /* random */
    enum state state;
};

struct source {
    const char *path;
    char *text;
    size_t size;
};

static struct mutant *mutants;
static size_t mutant_count;
static struct source sources[FILES_MAX];
static int source_count;

static const char *name, *compile_command, *link_command, *test_command;
static size_t wanted = 300, jobs = 2;
static unsigned seed = 1, limit_s = 20;
static const char *work, *equivalent_path, *survivors_path;
static char *only; /* the text of the file; NULL: all */
static const char *again_compile_command, *again_link_command;
static char function[64]; /* of the line that is looked at */

static void die(const char *what, const char *which)
{
    (void)fprintf(stderr, "mutants: %s %s: %s\n", what, which, strerror(errno));
    exit(2);
}

/* ------------------------------------------------------------------ changes */

/* FNV-1a. */
static uint64_t hash(uint64_t h, const char *text)
{
    do {
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    } while (*text++ != '\0');
    return h;
}

/* The place of a change in the sample: the same everywhere, whatever the other lines are. */
static uint64_t order_of(const struct mutant *m)
{
    char number[32];
    (void)snprintf(number, sizeof(number), "%u", seed);
    uint64_t h = hash(0xcbf29ce484222325u, number);
    h = hash(hash(h, sources[m->file].path), m->function);
    h = hash(hash(h, m->before), m->after);
    h ^= h >> 32;
    return h * 0x9E3779B97F4A7C15u;
}

static void propose(int file, int line, const char *before, const char *after)
{
    if (mutant_count == MUTANTS_MAX || strcmp(before, after) == 0) {
        return;
    }
    struct mutant *m = &mutants[mutant_count++];
    *m = (struct mutant){.file = file, .line = line};
    (void)snprintf(m->function, sizeof(m->function), "%s", function);
    (void)snprintf(m->before, sizeof(m->before), "%s", before);
    (void)snprintf(m->after, sizeof(m->after), "%s", after);
    m->order = order_of(m);
}

/* Replaces `len` bytes at `at`. */
static void replace(int file, int line, const char *text, size_t at, size_t len, const char *with)
{
    char after[2 * LINE_MAX_BYTES];
    (void)snprintf(after, sizeof(after), "%.*s%s%s", (int)at, text, with, text + at + len);
    if (strlen(after) < LINE_MAX_BYTES) {
        propose(file, line, text, after);
    }
}

/* Marks the bytes of a line that are code: no comment, string or character. */
static void mark_code(const char *text, bool *code, bool *in_comment)
{
    char quote = '\0';
    for (size_t i = 0; text[i] != '\0'; i++) {
        code[i] = false;
        if (*in_comment) {
            if (text[i] == '*' && text[i + 1] == '/') {
                *in_comment = false;
                code[++i] = false;
            }
        } else if (quote != '\0') {
            if (text[i] == '\\' && text[i + 1] != '\0') {
                code[++i] = false;
            } else if (text[i] == quote) {
                quote = '\0';
            }
        } else if (text[i] == '"' || text[i] == '\'') {
            quote = text[i];
        } else if (text[i] == '/' && text[i + 1] == '*') {
            *in_comment = true;
        } else {
            code[i] = true;
        }
    }
}

/* Operators have spaces around them, because clang-format decides the layout. */
static void propose_operators(int file, int line, const char *text, const bool *code)
{
    static const struct {
        const char *from, *to;
    } pairs[] = {{" < ", " <= "},  {" <= ", " < "},  {" > ", " >= "},   {" >= ", " > "},
                 {" < ", " >= "},  {" > ", " <= "},  {" == ", " != "},  {" != ", " == "},
                 {" && ", " || "}, {" || ", " && "}, {" + ", " - "},    {" - ", " + "},
                 {" += ", " -= "}, {" -= ", " += "}, {"++", "--"},      {" * ", " + "},
                 {" / ", " * "},   {" % ", " + "},   {"true", "false"}, {"false", "true"}};
    for (size_t p = 0; p < sizeof(pairs) / sizeof(pairs[0]); p++) {
        const char *at = text;
        while ((at = strstr(at, pairs[p].from)) != NULL) {
            size_t i = (size_t)(at - text), len = strlen(pairs[p].from);
            bool word = isalpha((unsigned char)pairs[p].from[0]) != 0;
            bool whole =
                !word ||
                ((i == 0 || (!isalnum((unsigned char)text[i - 1]) && text[i - 1] != '_')) &&
                 !isalnum((unsigned char)text[i + len]) && text[i + len] != '_');
            /* A loop that counts the wrong way never ends, which every test notices, slowly. */
            bool loop = strstr(text, "for (") != NULL && strncmp(pairs[p].from, "++", 2) == 0;
            if (code[i] && whole && !loop) {
                replace(file, line, text, i, len, pairs[p].to);
            }
            at += len;
        }
    }
}

/* 0 and 1 change places; other whole numbers become larger by one. Left out are the maximum of
 * a buffer for a short text, which nothing reaches (other maxima have names), and {0}, of which
 * only the first member would change. */
static void propose_constants(int file, int line, const char *text, const bool *code)
{
    if (strstr(text, "= BUF_INIT(") != NULL || strstr(text, "= {0}") != NULL) {
        return;
    }
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool first = isdigit((unsigned char)text[i]) != 0 && code[i] &&
                     (i == 0 || (!isalnum((unsigned char)text[i - 1]) && text[i - 1] != '_' &&
                                 text[i - 1] != '.'));
        if (!first) {
            continue;
        }
        size_t len = strspn(text + i, "0123456789");
        if (len < 10 && !isalnum((unsigned char)text[i + len]) && text[i + len] != '.') {
            char with[32];
            long value = strtol(text + i, NULL, 10);
            (void)snprintf(with, sizeof(with), "%ld", value == 1 ? 0 : value + 1);
            replace(file, line, text, i, len, with);
        }
        i += len;
    }
}

static bool balanced(const char *text)
{
    int depth = 0;
    for (; *text != '\0'; text++) {
        depth += *text == '(' ? 1 : *text == ')' ? -1 : 0;
    }
    return depth == 0;
}

static void propose_statements(int file, int line, const char *text)
{
    size_t indent = strspn(text, " ");
    const char *body = text + indent;
    size_t len = strlen(body);
    if (len == 0 || !balanced(body)) {
        return;
    }
    if (strncmp(body, "if (", 4) == 0 && body[len - 1] == '{') {
        char after[2 * LINE_MAX_BYTES];
        const char *close = strrchr(body, ')');
        (void)snprintf(after, sizeof(after), "%.*sif (!(%.*s))%s", (int)indent, text,
                       (int)(close - body - 4), body + 4, close + 1);
        propose(file, line, text, after);
        return;
    }
    if (body[len - 1] != ';') {
        return;
    }
    if (strncmp(body, "return ", 7) == 0) {
        replace(file, line, text, indent, len,
                strcmp(body, "return 0;") == 0 ? "return 1;" : "return 0;");
        return;
    }
    /* A declaration does not compile without its line, and is left out then. */
    if (indent > 0 && (isalpha((unsigned char)body[0]) || body[0] == '(' || body[0] == '*' ||
                       body[0] == '-' || body[0] == '+')) {
        replace(file, line, text, indent, len, ";");
    }
}

/* What a line without indentation defines: the last name before its parameters, its size or its
 * value. */
static void note_function(const char *text)
{
    const char *at = text;
    int depth = 0;
    if (strncmp(at, "__attribute__", 13) == 0) {
        for (at += 13; *at != '\0' && (depth > 0 || *at == '('); at++) {
            depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        }
    }
    const char *end = at + strcspn(at, "([={;");
    while (end > at && !isalnum((unsigned char)end[-1]) && end[-1] != '_') {
        end--;
    }
    const char *from = end;
    while (from > at && (isalnum((unsigned char)from[-1]) || from[-1] == '_')) {
        from--;
    }
    (void)snprintf(function, sizeof(function), "%.*s", (int)(end - from), from);
}

static void propose_file(int file)
{
    function[0] = '\0';
    bool in_comment = false, in_macro = false;
    int number = 0;
    for (char *at = sources[file].text; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        char text[LINE_MAX_BYTES];
        bool code[LINE_MAX_BYTES] = {false};
        number++;
        if (len < sizeof(text)) {
            memcpy(text, at, len);
            text[len] = '\0';
            bool comment_before = in_comment;
            mark_code(text, code, &in_comment);
            bool macro = in_macro || text[0] == '#';
            in_macro = macro && len > 0 && text[len - 1] == '\\';
            if (!macro && !comment_before && (isalpha((unsigned char)text[0]) || text[0] == '_')) {
                note_function(text);
            }
            /* What only asserts or logs, or names a source for the log, has no effect that a test
             * should see. */
            if (!macro && !comment_before && strstr(text, "ASSERT") == NULL &&
                strstr(text, "NEED_MEMORY") == NULL && strstr(text, "LOG(") == NULL &&
                strstr(text, "log_err(") == NULL && strstr(text, "loop_source_name(") == NULL &&
                strstr(text, "(void)state;") == NULL) {
                propose_operators(file, number, text, code);
                propose_constants(file, number, text, code);
                propose_statements(file, number, text);
            }
        }
        at += len + (at[len] == '\n');
    }
}

static int by_order(const void *a, const void *b)
{
    const struct mutant *x = a, *y = b;
    return x->order != y->order ? (x->order < y->order ? -1 : 1) : x->line - y->line;
}

/* Draws the order: each line once before any line twice. */
static void shuffle(void)
{
    qsort(mutants, mutant_count, sizeof(*mutants), by_order);
    static unsigned char seen[FILES_MAX][20000];
    for (size_t i = 0; i < mutant_count; i++) {
        struct mutant *m = &mutants[i];
        unsigned char *times = &seen[m->file][m->line % 20000];
        m->order = (uint64_t)(*times)++ << 20 | i;
    }
    qsort(mutants, mutant_count, sizeof(*mutants), by_order);
}

/* ------------------------------------------------------------------ commands */

/* The caller frees the text. */
static char *read_file(const char *path, size_t *ret_size)
{
    FILE *in = fopen(path, "r");
    struct stat st;
    if (in == NULL || fstat(fileno(in), &st) < 0) {
        die("cannot read", path);
    }
    size_t size = (size_t)st.st_size;
    char *text = calloc(1, size + 1);
    if (text == NULL || fread(text, 1, size, in) != size) {
        die("cannot read", path);
    }
    (void)fclose(in);
    if (ret_size != NULL) {
        *ret_size = size;
    }
    return text;
}

/* Copies a command with its placeholders filled in. */
static void fill(const char *command, const char *const (*values)[2], char out[COMMAND_MAX])
{
    size_t len = 0;
    while (*command != '\0' && len + 1 < COMMAND_MAX) {
        size_t i = 0;
        while (values[i][0] != NULL && strncmp(command, values[i][0], strlen(values[i][0])) != 0) {
            i++;
        }
        if (values[i][0] == NULL) {
            out[len++] = *command++;
        } else {
            int n = snprintf(out + len, COMMAND_MAX - len, "%s", values[i][1]);
            len += (size_t)n;
            command += strlen(values[i][0]);
        }
    }
    out[len < COMMAND_MAX ? len : COMMAND_MAX - 1] = '\0';
}

/* Runs a shell command in a process group of its own, so that its children end with it. Returns the
 * exit status, 124 after the limit. */
static int run(const char *command, unsigned seconds)
{
    char full[COMMAND_MAX + 64];
    (void)snprintf(full, sizeof(full), "exec > /dev/null 2>&1 < /dev/null; %s", command);
    char limit[16];
    (void)snprintf(limit, sizeof(limit), "%u", seconds);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("timeout", "timeout", "-k", "2", limit, "sh", "-c", full, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static bool same_file(const char *a, const char *b)
{
    char command[1024];
    (void)snprintf(command, sizeof(command), "cmp -s '%s' '%s'", a, b);
    return run(command, 10) == 0;
}

/* The path without its extension, from the module's folder on: "risk/risk". */
static void stem(const char *path, char out[128])
{
    (void)snprintf(out, 128, "%s", strncmp(path, "src/", 4) == 0 ? path + 4 : path);
    char *dot = strrchr(out, '.');
    if (dot != NULL) {
        *dot = '\0';
    }
}

static bool compile(const char *command_of, int file, const char *in, const char *out)
{
    char folder[256], command[COMMAND_MAX];
    (void)snprintf(folder, sizeof(folder), "%s", sources[file].path);
    *strrchr(folder, '/') = '\0';
    const char *const values[][2] = {{"@IN@", in}, {"@OUT@", out}, {"@DIR@", folder}, {NULL, NULL}};
    fill(command_of, values, command);
    return run(command, 120) == 0;
}

static void base_object(int file, char out[256])
{
    char part[128];
    stem(sources[file].path, part);
    for (char *c = part; *c != '\0'; c++) {
        *c = *c == '/' ? '_' : *c;
    }
    (void)snprintf(out, 256, "%s/%s.base.o", work, part);
}

static bool link_test(const char *command_of, int file, const char *object, const char *program)
{
    char part[128], original[256], command[COMMAND_MAX];
    stem(sources[file].path, part);
    (void)snprintf(original, sizeof(original), "/obj/%s.o", part);
    /* The word in LINK that ends with the original's name. */
    const char *at = strstr(command_of, original);
    if (at == NULL) {
        die("no object in LINK for", sources[file].path);
    }
    const char *from = at;
    while (from > command_of && from[-1] != ' ') {
        from--;
    }
    (void)snprintf(original, sizeof(original), "%.*s", (int)(at - from + (long)strlen(original)),
                   from);
    const char *const values[][2] = {{original, object}, {"@OUT@", program}, {NULL, NULL}};
    fill(command_of, values, command);
    return run(command, 120) == 0;
}

static void write_changed(const struct mutant *m, const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        die("cannot write", path);
    }
    (void)fprintf(out, "#line 1 \"%s\"\n", sources[m->file].path); /* for __FILE__ */
    int number = 1;
    for (const char *at = sources[m->file].text; *at != '\0'; number++) {
        size_t len = strcspn(at, "\n");
        if (number == m->line) {
            (void)fprintf(out, "%s\n", m->after);
        } else {
            (void)fprintf(out, "%.*s\n", (int)len, at);
        }
        at += len + (at[len] == '\n');
    }
    (void)fclose(out);
}

/* Links and runs the test with an object. */
static enum state run_test(const char *link, int file, const char *object, const char *program,
                           unsigned limit)
{
    char command[COMMAND_MAX];
    if (!link_test(link, file, object, program)) {
        return UNUSED;
    }
    const char *const values[][2] = {{"@OUT@", program}, {NULL, NULL}};
    fill(test_command, values, command);
    int status = run(command, limit);
    return status == 0 ? SURVIVED : status == 124 || status == 137 ? TIMED_OUT : KILLED;
}

static enum state run_test_again(int file, const char *in, const char *object, const char *program)
{
    return compile(again_compile_command, file, in, object)
               ? run_test(again_link_command, file, object, program, AGAIN_SLOWER * limit_s)
               : UNUSED;
}

static enum state try_mutant(const struct mutant *m, size_t worker)
{
    char in[256], object[256], program[256], base[256];
    (void)snprintf(in, sizeof(in), "%s/%zu", work, worker);
    (void)mkdir(in, 0750);
    /* The object holds this name, so it is the same for all workers. */
    (void)snprintf(in, sizeof(in), "%s/%zu/changed.c", work, worker);
    (void)snprintf(object, sizeof(object), "%s/%zu.o", work, worker);
    (void)snprintf(program, sizeof(program), "%s/%zu.test", work, worker);
    write_changed(m, in);
    base_object(m->file, base);
    if (!compile(compile_command, m->file, in, object) || same_file(object, base)) {
        return UNUSED;
    }
    enum state state = run_test(link_command, m->file, object, program, limit_s);
    return state == SURVIVED && again_compile_command != NULL
               ? run_test_again(m->file, in, object, program)
               : state;
}

/* ------------------------------------------------------------------ survivors */

static struct entry {
    char text[ENTRY_MAX_BYTES];
    bool fits; /* a line of the module */
    bool noticed, unnoticed;
} entries[ENTRIES_MAX];
static size_t entry_count;

static void trim(const char *text, char out[LINE_MAX_BYTES])
{
    text += strspn(text, " ");
    (void)snprintf(out, LINE_MAX_BYTES, "%s", text);
    for (size_t len = strlen(out); len > 0 && isspace((unsigned char)out[len - 1]); len--) {
        out[len - 1] = '\0';
    }
}

static void read_equivalent(void)
{
    FILE *in = equivalent_path == NULL ? NULL : fopen(equivalent_path, "r");
    if (in == NULL) {
        return;
    }
    char line[ENTRY_MAX_BYTES];
    while (entry_count < ENTRIES_MAX && fgets(line, sizeof(line), in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0' && line[0] != '#') {
            memcpy(entries[entry_count++].text, line, sizeof(line));
        }
    }
    (void)fclose(in);
}

/* The entry of a change; NULL: none. */
static struct entry *find_entry(const struct mutant *m)
{
    char before[LINE_MAX_BYTES], after[LINE_MAX_BYTES], wanted_text[ENTRY_MAX_BYTES];
    trim(m->before, before);
    trim(m->after, after);
    (void)snprintf(wanted_text, sizeof(wanted_text), "%s | %s | %s | %s | ", sources[m->file].path,
                   m->function, before, after);
    for (size_t i = 0; i < entry_count; i++) {
        if (strncmp(entries[i].text, wanted_text, strlen(wanted_text)) == 0) {
            return &entries[i];
        }
    }
    return NULL;
}

/* Without the file and the line, which an edit elsewhere moves. */
static void describe(const struct mutant *m, char text[ENTRY_MAX_BYTES])
{
    char before[LINE_MAX_BYTES], after[LINE_MAX_BYTES];
    trim(m->before, before);
    trim(m->after, after);
    (void)snprintf(text, ENTRY_MAX_BYTES, " %s\n  - %s\n  + %s\n", m->function, before, after);
}

/* At once, so that it can be read while the others are tried. */
static void write_survivor(const struct mutant *m)
{
    char what[ENTRY_MAX_BYTES], text[2 * ENTRY_MAX_BYTES];
    describe(m, what);
    int len = snprintf(text, sizeof(text), "%s:%d%s", sources[m->file].path, m->line, what);
    int fd = open(survivors_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 || write(fd, text, (size_t)len) != len) {
        die("cannot write", survivors_path);
    }
    (void)close(fd);
}

static bool report_stale(void)
{
    bool stale = false;
    for (size_t i = 0; i < entry_count; i++) {
        bool of_module = false;
        for (int k = 0; k < source_count; k++) {
            size_t len = strlen(sources[k].path);
            of_module |= strncmp(entries[i].text, sources[k].path, len) == 0 &&
                         strncmp(entries[i].text + len, " | ", 3) == 0;
        }
        bool noticed = entries[i].noticed && !entries[i].unnoticed;
        if (of_module && (!entries[i].fits || noticed)) {
            printf("stale: %s\n       in %s: %s\n", entries[i].text, equivalent_path,
                   noticed ? "a test notices this change" : "no such line");
            stale = true;
        }
    }
    return stale;
}

/* Returns whether there is a survivor or a stale entry. */
static bool report(void)
{
    size_t counts[EQUIVALENT + 1] = {0};
    for (size_t i = 0; i < mutant_count; i++) {
        const struct mutant *m = &mutants[i];
        struct entry *entry = find_entry(m);
        counts[m->state]++;
        if (entry != NULL) {
            entry->fits = true;
            entry->noticed |= m->state == KILLED || m->state == TIMED_OUT;
            entry->unnoticed |= m->state == EQUIVALENT;
        }
    }
    size_t killed = counts[KILLED] + counts[TIMED_OUT];
    size_t judged = killed + counts[SURVIVED];
    printf("%-10s %7zu %7zu %9zu %10zu %9zu %6.1f %%\n", name, judged + counts[EQUIVALENT], killed,
           counts[TIMED_OUT], counts[EQUIVALENT], counts[SURVIVED],
           judged == 0 ? 0.0 : 100.0 * (double)killed / (double)judged);
    return report_stale() || counts[SURVIVED] > 0;
}

/* ------------------------------------------------------------------ main */

/* What the workers share: the next mutant, and how many count so far. */
struct shared {
    size_t next, used;
};

static void work_through(struct shared *shared, size_t worker)
{
    for (;;) {
        size_t at = __atomic_fetch_add(&shared->next, 1, __ATOMIC_SEQ_CST);
        if (at >= mutant_count || __atomic_load_n(&shared->used, __ATOMIC_SEQ_CST) >= wanted) {
            return;
        }
        char what[ENTRY_MAX_BYTES];
        describe(&mutants[at], what);
        if (only != NULL && strstr(only, what) == NULL) {
            continue;
        }
        mutants[at].state = try_mutant(&mutants[at], worker);
        if (mutants[at].state == SURVIVED && find_entry(&mutants[at]) != NULL) {
            mutants[at].state = EQUIVALENT;
        } else if (mutants[at].state == SURVIVED && survivors_path != NULL) {
            write_survivor(&mutants[at]);
        }
        if (mutants[at].state != UNUSED) {
            (void)__atomic_add_fetch(&shared->used, 1, __ATOMIC_SEQ_CST);
        }
    }
}

static int read_options(int argc, char **argv)
{
    int i = 5;
    for (; i < argc && strcmp(argv[i], "--") != 0; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--count") == 0) {
            wanted = strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--jobs") == 0) {
            jobs = strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--limit") == 0) {
            limit_s = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--work") == 0) {
            work = value;
        } else if (strcmp(argv[i], "--only") == 0) {
            only = read_file(value, NULL);
        } else if (strcmp(argv[i], "--again") == 0) {
            again_compile_command = value;
        } else if (strcmp(argv[i], "--again-link") == 0) {
            again_link_command = value;
        } else if (strcmp(argv[i], "--equivalent") == 0) {
            equivalent_path = value;
        } else if (strcmp(argv[i], "--survivors") == 0) {
            survivors_path = value;
        } else {
            return argc;
        }
    }
    return i + 1;
}

/* Builds the object of each file to compare with. The unchanged module must pass, or every mutant
 * would seem to be killed. */
static void build_unchanged(void)
{
    char program[256], base[256], in[256];
    (void)snprintf(in, sizeof(in), "%s/changed.c", work);
    for (int i = 0; i < source_count; i++) {
        const struct mutant unchanged = {.file = i};
        base_object(i, base);
        write_changed(&unchanged, in);
        if (!compile(compile_command, i, in, base)) {
            die("cannot compile", sources[i].path);
        }
    }
    (void)snprintf(program, sizeof(program), "%s/base.test", work);
    base_object(0, base);
    bool passes = run_test(link_command, 0, base, program, limit_s) == SURVIVED;
    if (passes && again_compile_command != NULL) {
        const struct mutant unchanged = {.file = 0};
        write_changed(&unchanged, in);
        (void)snprintf(base, sizeof(base), "%s/again.o", work);
        passes = run_test_again(0, in, base, program) == SURVIVED;
    }
    if (!passes) {
        (void)fprintf(stderr, "mutants: the test of %s fails without a change\n", name);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    int first = argc < 7 ? argc : read_options(argc, argv);
    bool again = again_compile_command != NULL;
    if (first >= argc || work == NULL || again != (again_link_command != NULL) ||
        argc - first > FILES_MAX) {
        (void)fprintf(stderr, "usage: see the top of mutants.c\n");
        return 2;
    }
    name = argv[1], compile_command = argv[2], link_command = argv[3], test_command = argv[4];
    size_t size = sizeof(*mutants) * MUTANTS_MAX + sizeof(struct shared);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        die("no memory for", name);
    }
    struct shared *shared = memory;
    mutants = (struct mutant *)(shared + 1);
    for (int i = first; i < argc; i++) {
        sources[source_count].path = argv[i];
        sources[source_count].text = read_file(argv[i], &sources[source_count].size);
        propose_file(source_count++);
    }
    shuffle();
    read_equivalent();
    build_unchanged();
    for (size_t worker = 0; worker < jobs; worker++) {
        if (fork() == 0) {
            work_through(shared, worker);
            _exit(0);
        }
    }
    while (wait(NULL) > 0 || errno == EINTR) {}
    return report() ? 1 : 0;
}
