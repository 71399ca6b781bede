/*
 * Tests the tests of a module: changes one line of its source at a time, builds the module's test
 * with it, and lists the changes that no test notices (survivors).
 *
 *     mutants NAME COMPILE LINK TEST OPTIONS... -- FILE...
 *         COMPILE  shell command for an object; @IN@ is the changed source, @OUT@ the object, @DIR@
 * the folder of the original LINK     shell command for the test; @OUT@ is the program. The word
 * build/…/FILE.o in it is replaced by the changed object TEST     shell command; @OUT@ is the
 * program OPTIONS: --count N (300) --seed N (1) --jobs N (2) --limit SECONDS (20) --work FOLDER
 *              --equivalent FILE --survivors FILE
 *
 * A line is changed in one way: a comparison, a sign, a constant by one, && and ||, a negated
 * condition, a returned value, or a statement that is deleted. The sample of the lines is drawn
 * from the seed. Changes that do not compile or give the same object are left out. Nothing is
 * written outside of --work and --survivors.
 *
 * The file --equivalent lists survivors that no test can notice, one a line: FILE | line | changed
 * line | reason.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MUTANTS_MAX = 60000, LINE_MAX_BYTES = 256, FILES_MAX = 64, COMMAND_MAX = 32768 };

enum state { WAITING, UNUSED, KILLED, TIMED_OUT, SURVIVED, EQUIVALENT };

struct mutant {
    int file;
    int line; /* from 1 */
    char before[LINE_MAX_BYTES], after[LINE_MAX_BYTES];
    unsigned order; /* random */
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

static void die(const char *what, const char *which)
{
    (void)fprintf(stderr, "mutants: %s %s: %s\n", what, which, strerror(errno));
    exit(2);
}

/* ------------------------------------------------------------------ changes */

/* xorshift, so that a seed gives the same sample everywhere. */
static unsigned next_random(void)
{
    static uint64_t state;
    state = state == 0 ? 88172645463325252u + seed * 2654435761u : state;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 32);
}

static void propose(int file, int line, const char *before, const char *after)
{
    if (mutant_count == MUTANTS_MAX || strcmp(before, after) == 0) {
        return;
    }
    struct mutant *m = &mutants[mutant_count++];
    *m = (struct mutant){.file = file, .line = line, .order = next_random()};
    (void)snprintf(m->before, sizeof(m->before), "%s", before);
    (void)snprintf(m->after, sizeof(m->after), "%s", after);
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

/* 0 and 1 change places; other whole numbers become larger by one. */
static void propose_constants(int file, int line, const char *text, const bool *code)
{
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

static void propose_file(int file)
{
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
            /* What only asserts or logs has no effect that a test should see. */
            if (!macro && !comment_before && strstr(text, "ASSERT") == NULL &&
                strstr(text, "NEED_MEMORY") == NULL && strstr(text, "LOG(") == NULL &&
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
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Draws the order: each line once before any line twice. */
static void shuffle(void)
{
    qsort(mutants, mutant_count, sizeof(*mutants), by_order);
    static unsigned char seen[FILES_MAX][20000];
    for (size_t i = 0; i < mutant_count; i++) {
        struct mutant *m = &mutants[i];
        unsigned char *times = &seen[m->file][m->line % 20000];
        m->order = (unsigned)(*times)++ << 20 | (unsigned)i;
    }
    qsort(mutants, mutant_count, sizeof(*mutants), by_order);
}

/* ------------------------------------------------------------------ commands */

static void read_source(int file)
{
    struct source *s = &sources[file];
    FILE *in = fopen(s->path, "r");
    struct stat st;
    if (in == NULL || fstat(fileno(in), &st) < 0) {
        die("cannot read", s->path);
    }
    s->size = (size_t)st.st_size;
    s->text = calloc(1, s->size + 1);
    if (s->text == NULL || fread(s->text, 1, s->size, in) != s->size) {
        die("cannot read", s->path);
    }
    (void)fclose(in);
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

static bool compile(int file, const char *in, const char *out)
{
    char folder[256], command[COMMAND_MAX];
    (void)snprintf(folder, sizeof(folder), "%s", sources[file].path);
    *strrchr(folder, '/') = '\0';
    const char *const values[][2] = {{"@IN@", in}, {"@OUT@", out}, {"@DIR@", folder}, {NULL, NULL}};
    fill(compile_command, values, command);
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

static bool link_test(int file, const char *object, const char *program)
{
    char part[128], original[256], command[COMMAND_MAX];
    stem(sources[file].path, part);
    (void)snprintf(original, sizeof(original), "/obj/%s.o", part);
    /* The word in LINK that ends with the original's name. */
    const char *at = strstr(link_command, original);
    if (at == NULL) {
        die("no object in LINK for", sources[file].path);
    }
    const char *from = at;
    while (from > link_command && from[-1] != ' ') {
        from--;
    }
    (void)snprintf(original, sizeof(original), "%.*s", (int)(at - from + (long)strlen(original)),
                   from);
    const char *const values[][2] = {{original, object}, {"@OUT@", program}, {NULL, NULL}};
    fill(link_command, values, command);
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

static enum state try_mutant(const struct mutant *m, size_t worker)
{
    char in[256], object[256], program[256], base[256], command[COMMAND_MAX];
    (void)snprintf(in, sizeof(in), "%s/%zu", work, worker);
    (void)mkdir(in, 0750);
    /* The object holds this name, so it is the same for all workers. */
    (void)snprintf(in, sizeof(in), "%s/%zu/changed.c", work, worker);
    (void)snprintf(object, sizeof(object), "%s/%zu.o", work, worker);
    (void)snprintf(program, sizeof(program), "%s/%zu.test", work, worker);
    write_changed(m, in);
    base_object(m->file, base);
    if (!compile(m->file, in, object) || same_file(object, base)) {
        return UNUSED;
    }
    if (!link_test(m->file, object, program)) {
        return UNUSED;
    }
    const char *const values[][2] = {{"@OUT@", program}, {NULL, NULL}};
    fill(test_command, values, command);
    int status = run(command, limit_s);
    return status == 0 ? SURVIVED : status == 124 || status == 137 ? TIMED_OUT : KILLED;
}

/* ------------------------------------------------------------------ survivors */

static void trim(const char *text, char out[LINE_MAX_BYTES])
{
    text += strspn(text, " ");
    (void)snprintf(out, LINE_MAX_BYTES, "%s", text);
    for (size_t len = strlen(out); len > 0 && isspace((unsigned char)out[len - 1]); len--) {
        out[len - 1] = '\0';
    }
}

static bool is_equivalent(const struct mutant *m)
{
    char line[1024], before[LINE_MAX_BYTES], after[LINE_MAX_BYTES], wanted_line[1024];
    FILE *in = equivalent_path == NULL ? NULL : fopen(equivalent_path, "r");
    if (in == NULL) {
        return false;
    }
    trim(m->before, before);
    trim(m->after, after);
    (void)snprintf(wanted_line, sizeof(wanted_line), "%s | %s | %s | ", sources[m->file].path,
                   before, after);
    bool found = false;
    while (!found && fgets(line, sizeof(line), in) != NULL) {
        found = strncmp(line, wanted_line, strlen(wanted_line)) == 0;
    }
    (void)fclose(in);
    return found;
}

static void report(void)
{
    size_t counts[EQUIVALENT + 1] = {0};
    FILE *out = survivors_path == NULL ? NULL : fopen(survivors_path, "a");
    for (size_t i = 0; i < mutant_count; i++) {
        struct mutant *m = &mutants[i];
        if (m->state == SURVIVED && is_equivalent(m)) {
            m->state = EQUIVALENT;
        }
        counts[m->state]++;
        if (m->state == SURVIVED && out != NULL) {
            char before[LINE_MAX_BYTES], after[LINE_MAX_BYTES];
            trim(m->before, before);
            trim(m->after, after);
            (void)fprintf(out, "%s:%d\n  - %s\n  + %s\n", sources[m->file].path, m->line, before,
                          after);
        }
    }
    if (out != NULL) {
        (void)fclose(out);
    }
    size_t killed = counts[KILLED] + counts[TIMED_OUT];
    size_t judged = killed + counts[SURVIVED];
    printf("%-10s %7zu %7zu %9zu %10zu %9zu %6.1f %%\n", name, judged + counts[EQUIVALENT], killed,
           counts[TIMED_OUT], counts[EQUIVALENT], counts[SURVIVED],
           judged == 0 ? 0.0 : 100.0 * (double)killed / (double)judged);
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
        mutants[at].state = try_mutant(&mutants[at], worker);
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

int main(int argc, char **argv)
{
    int first = argc < 7 ? argc : read_options(argc, argv);
    if (first >= argc || work == NULL || argc - first > FILES_MAX) {
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
        read_source(source_count);
        propose_file(source_count++);
    }
    shuffle();
    for (int i = 0; i < source_count; i++) {
        char base[256], in[256];
        base_object(i, base);
        (void)snprintf(in, sizeof(in), "%s/changed.c", work);
        const struct mutant unchanged = {.file = i};
        write_changed(&unchanged, in);
        if (!compile(i, in, base)) {
            die("cannot compile", sources[i].path);
        }
    }
    /* The unchanged module must pass, or every mutant would seem to be killed. */
    char program[256], base[256], command[COMMAND_MAX];
    (void)snprintf(program, sizeof(program), "%s/base.test", work);
    base_object(0, base);
    const char *const values[][2] = {{"@OUT@", program}, {NULL, NULL}};
    fill(test_command, values, command);
    if (!link_test(0, base, program) || run(command, limit_s) != 0) {
        (void)fprintf(stderr, "mutants: the test of %s fails without a change\n", name);
        return 2;
    }
    for (size_t worker = 0; worker < jobs; worker++) {
        if (fork() == 0) {
            work_through(shared, worker);
            _exit(0);
        }
    }
    while (wait(NULL) > 0 || errno == EINTR) {}
    report();
    return 0;
}
