#include "base/check.h"
#include "fakes/fake_venue.h"
#include "fakes/http_pieces.h"
#include "io/file.h"
#include "scenario.h"
#include "store/ops.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_MAX ((size_t)64 << 20)

bool scene_fail(struct scene *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_addv(&s->why, format, args);
    va_end(args);
    buf_add_char(&s->why, '\n');
    return false;
}

bool scene_person(struct scene *s, const struct yaml_node *name, int64_t *ret)
{
    static const struct {
        const char *name;
        int64_t id;
    } people[] = {{"alice", ALICE}, {"bob", BOB}, {"carol", CAROL}, {"eve", EVE}, {"group", GROUP}};
    struct str text = yaml_text(name);
    for (size_t i = 0; i < COUNT_OF(people); i++) {
        if (str_equal_c(text, people[i].name)) {
            *ret = people[i].id;
            return true;
        }
    }
    return str_to_i64(text, ret) || scene_fail(s, "no person is called %.*s", STR_ARG(text));
}

/* ------------------------------------------------------------------------- configuration ---- */

/* The configuration, unless the scenario's `config` overrides it. In both, @telegram and @claude
 * are the fakes, @state its folder, @port its own port, because several scenarios run at a time;
 * @pages is the server of what `pages` has.
 * @venue, @venue_stream, @venue_key and @venue_secret are of the fake that `venue` names. */
static const struct {
    const char *group;
    const char *key;
    const char *value;
} defaults[] = {
    {"telegram", "bot_token", "\"" FAKE_TELEGRAM_TOKEN "\""},
    {"telegram", "api_url", "@telegram"},
    {"telegram", "poll_timeout", "2s"},
    {"telegram", "users",
     "[{id: 1001, name: alice, role: admin, emergency: true},"
     " {id: 1002, name: bob, role: read_only}, {id: 1003, name: carol, role: operator}]"},
    {"telegram", "chat_id", "1001"},
    {"claude", "api_key", "\"" FAKE_CLAUDE_KEY "\""},
    {"claude", "api_url", "@claude"},
    {"services", "demo",
     "{command: [self, demo-service, --port, \"@port\"], url: \"http://127.0.0.1:@port\"}"},
    {"state", "dir", "@state"},
    {"api", "port", "0"},
    {"console", "enabled", "false"},
    {"market", "seed", "7"},
    {"market", "speed", "600"},
    {"commands", "confirm_expiry", "120s"},
    {"monitoring", "check_interval", "1s"},
    {"monitoring", "alert_threshold", "2"},
    {"monitoring", "audit_first_after", "1h"},
    /* A scenario expects the messages that it is about. */
    {"notify", "start", "off"},
    {"notify", "entry", "off"},
    {"notify", "exit", "off"},
    {"notify", "veto", "off"},
    {"notify", "pause", "off"},
    {"notify", "daily", "off"},
};

/* Writes flow style, so that each node fits on one line. */
static void add_node(struct buf *out, const struct yaml_node *node)
{
    switch (node->kind) {
    case YAML_SCALAR:
        if (node->quoted || node->text.len == 0 ||
            strpbrk(node->text.ptr, "[]{},:#&*!|>'\"%@`") != NULL) {
            buf_add_char(out, '"');
            buf_add_json(out, node->text);
            buf_add_char(out, '"');
        } else {
            buf_add_str(out, node->text);
        }
        return;
    case YAML_SEQUENCE:
        buf_add_char(out, '[');
        for (size_t i = 0; i < yaml_len(node); i++) {
            buf_add_c(out, i == 0 ? "" : ", ");
            add_node(out, yaml_at(node, i));
        }
        buf_add_char(out, ']');
        return;
    case YAML_MAPPING:
        buf_add_char(out, '{');
        for (size_t i = 0; i < yaml_len(node); i++) {
            buf_add_c(out, i == 0 ? "" : ", ");
            buf_add_str(out, yaml_text(yaml_key(node, i)));
            buf_add_c(out, ": ");
            add_node(out, yaml_value(node, i));
        }
        buf_add_char(out, '}');
        return;
    }
}

/* Returns the length of the word. */
static size_t add_venue(const struct scene *s, struct buf *out, struct str text)
{
    const struct fake_venue *second = s->second_venue;
    const struct {
        const char *word;
        const char *value;
    } words[] = {{"@venue_stream", fake_venue_stream_url(s->venue)},
                 {"@venue_key", fake_venue_key(s->venue)},
                 {"@venue_secret", fake_venue_secret(s->venue)},
                 {"@venue", fake_venue_url(s->venue)},
                 {"@second_stream", second != NULL ? fake_venue_stream_url(second) : ""},
                 {"@second", second != NULL ? fake_venue_url(second) : ""}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_starts(text, words[i].word)) {
            buf_add_c(out, words[i].value);
            return strlen(words[i].word);
        }
    }
    return 1;
}

static void add_value(const struct scene *s, struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        struct str rest = str_n(value.ptr + i, value.len - i);
        if (str_starts(rest, "@telegram")) {
            buf_addf(out, "http://127.0.0.1:%u", fake_telegram_port(s->telegram));
            i += strlen("@telegram") - 1;
        } else if (str_starts(rest, "@claude")) {
            buf_addf(out, "http://127.0.0.1:%u", fake_claude_port(s->claude));
            i += strlen("@claude") - 1;
        } else if (str_starts(rest, "@state")) {
            buf_add_c(out, s->dir);
            i += strlen("@state") - 1;
        } else if (str_starts(rest, "@port")) {
            buf_addf(out, "%u", s->port);
            i += strlen("@port") - 1;
        } else if (s->pages != NULL && str_starts(rest, "@pages")) {
            buf_addf(out, "http://127.0.0.1:%u", http_pieces_port(s->pages));
            i += strlen("@pages") - 1;
        } else if (s->venue != NULL &&
                   (str_starts(rest, "@venue") || str_starts(rest, "@second"))) {
            i += add_venue(s, out, rest) - 1;
        } else {
            buf_add_char(out, value.ptr[i]);
        }
    }
}

static void add_group(const struct scene *s, struct buf *out, const char *group)
{
    const struct yaml_node *own = yaml_get(s->own, group);
    buf_addf(out, "%s:\n", group);
    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        if (strcmp(defaults[i].group, group) == 0 && yaml_get(own, defaults[i].key) == NULL) {
            buf_addf(out, "  %s: ", defaults[i].key);
            add_value(s, out, str_c(defaults[i].value));
            buf_add_char(out, '\n');
        }
    }
    for (size_t i = 0; i < yaml_len(own); i++) {
        AUTO_BUF struct buf value = BUF_INIT((size_t)16 * 1024);
        add_node(&value, yaml_value(own, i));
        buf_addf(out, "  %s: ", yaml_text(yaml_key(own, i)).ptr);
        add_value(s, out, buf_str(&value));
        buf_add_char(out, '\n');
    }
    if (strcmp(group, "commands") == 0 && yaml_get(s->root, "commands") != NULL) {
        buf_addf(out, "  folder: %s/commands\n", s->dir);
    }
}

static bool has_defaults(struct str group)
{
    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        if (str_equal_c(group, defaults[i].group)) {
            return true;
        }
    }
    return false;
}

bool scene_commands(struct scene *s, const struct yaml_node *own)
{
    AUTO_BUF struct buf path = BUF_INIT(512);
    struct err err = {0};
    buf_addf(&path, "%s/commands", s->dir);
    if (own != NULL && file_make_folder(path.data, 0755, &err) < 0) {
        return scene_fail(s, "%s", err.context);
    }
    for (size_t i = 0; i < yaml_len(own); i++) {
        buf_clear(&path);
        buf_addf(&path, "%s/commands/%s.yaml", s->dir, yaml_text(yaml_key(own, i)).ptr);
        if (file_write(path.data, yaml_text(yaml_value(own, i)), 0644, &err) < 0) {
            return scene_fail(s, "%s", err.context);
        }
    }
    return true;
}

bool scene_configure(struct scene *s, const struct yaml_node *own)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 * 1024);
    struct err err = {0};
    s->own = own;
    if (yaml_text(own).len > 0) {
        return file_write(s->config, yaml_text(own), 0600, &err) == 0 ||
               scene_fail(s, "%s", err.context);
    }
    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        if (i == 0 || strcmp(defaults[i].group, defaults[i - 1].group) != 0) {
            add_group(s, &text, defaults[i].group);
        }
    }
    for (size_t i = 0; i < yaml_len(own); i++) {
        struct str group = yaml_text(yaml_key(own, i));
        if (!has_defaults(group)) {
            add_group(s, &text, group.ptr);
        }
    }
    return file_write(s->config, buf_str(&text), 0600, &err) == 0 ||
           scene_fail(s, "%s", err.context);
}

/* -------------------------------------------------------------------------- open and close ---- */

/* A port that is not in use; the kernel does not hand it out again soon. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    (void)close(fd);
    return good ? ntohs(address.sin_port) : 0;
}

bool scene_open(struct scene *s, const char *binary, const struct yaml_node *root)
{
    /* In memory if possible: a commit on a busy disk would count as an absence of the ops loop. */
    const char *base = getenv("TMPDIR");
    base = base == NULL && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : base;
    *s = (struct scene){.binary = binary, .root = root};
    buf_init(&s->why, (size_t)64 * 1024);
    (void)snprintf(s->dir, sizeof(s->dir), "%s/nightdesk-scenario-XXXXXX",
                   base == NULL || strlen(base) > 64 ? "/tmp" : base);
    if (mkdtemp(s->dir) == NULL) {
        return scene_fail(s, "no temporary folder");
    }
    (void)snprintf(s->config, sizeof(s->config), "%s/nightdesk.yaml", s->dir);
    (void)snprintf(s->log, sizeof(s->log), "%s/stdout.log", s->dir);
    struct str venue = yaml_text(yaml_get(root, "venue"));
    if (venue.len > 0 && fake_venue_start(venue.ptr, &s->venue) < 0) {
        return scene_fail(s, "no fake of the venue %s", venue.ptr);
    }
    venue = yaml_text(yaml_get(root, "second_venue"));
    if (venue.len > 0 && fake_venue_start(venue.ptr, &s->second_venue) < 0) {
        return scene_fail(s, "no fake of the venue %s", venue.ptr);
    }
    if (fake_telegram_start(&s->telegram) < 0 || fake_claude_start(&s->claude) < 0) {
        return scene_fail(s, "the fakes cannot listen");
    }
    s->port = free_port();
    return pages_start(s) && scene_commands(s, yaml_get(s->root, "commands")) &&
           scene_configure(s, yaml_get(s->root, "config"));
}

static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char file[512];
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            (void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
            if (e->d_type == DT_DIR) {
                remove_folder(file);
            }
            (void)unlink(file);
        }
    }
    (void)closedir(dir);
    (void)rmdir(path);
}

void scene_close(struct scene *s)
{
    if (s->pid != 0) {
        (void)daemon_kill(s);
    }
    ops_store_free(s->locker);
    fake_telegram_stop(s->telegram);
    fake_claude_stop(s->claude);
    fake_venue_stop(s->venue);
    fake_venue_stop(s->second_venue);
    http_pieces_stop(s->pages);
    if (s->why.len == 0) {
        remove_folder(s->dir);
    }
    buf_release(&s->why);
}

static bool check_secrets(struct scene *s, const char *path)
{
    static const char *const secrets[] = {FAKE_TELEGRAM_TOKEN, FAKE_CLAUDE_KEY};
    AUTO_BUF struct buf text = BUF_INIT(LOG_MAX);
    if (file_read(path, &text, NULL) < 0) {
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        if (memmem(text.data, text.len, secrets[i], strlen(secrets[i])) != NULL) {
            return scene_fail(s, "a secret is in %s", path);
        }
    }
    return true;
}

/* Every file that the daemon has written; its configuration is ours. */
static bool check_folder(struct scene *s, const char *path)
{
    bool good = true;
    DIR *dir = opendir(path);
    for (const struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir)) {
        char file[512];
        (void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        if (e->d_type == DT_DIR && e->d_name[0] != '.') {
            good = check_folder(s, file) && good;
        } else if (e->d_type == DT_REG && strcmp(file, s->config) != 0) {
            good = check_secrets(s, file) && good;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return good;
}

static bool check_violations(struct scene *s, const char *text)
{
    struct str rest = str_c(text), line, allowed = yaml_text(yaml_get(s->root, "violation"));
    bool good = true;
    while (str_split(&rest, '\n', &line)) {
        if (allowed.len == 0 || memmem(line.ptr, line.len, allowed.ptr, allowed.len) == NULL) {
            good = scene_fail(s, "violation: %.*s", STR_ARG(line));
        }
    }
    return good;
}

static void note_absence(struct scene *s, double ms, struct str where)
{
    if (ms > s->absence_ms) {
        s->absence_ms = ms;
        (void)str_copy(where, s->absence_in, sizeof(s->absence_in));
    }
}

/* Reads the absences of the ops loops from the log: at the end of a daemon, and, if it was killed,
 * of the first absence over the limit. False: a reply held what no action declares. */
static bool read_log(struct scene *s, const char *path)
{
    bool good = true;
    static const char at_end[] = "longest absence of the ops loop was ", at_once[] = " AWAY_MS=";
    static const char undeclared[] = "which no action of it declares";
    AUTO_BUF struct buf text = BUF_INIT(LOG_MAX);
    if (file_read(path, &text, NULL) < 0) {
        return true;
    }
    struct str rest = buf_str(&text), line;
    while (str_split(&rest, '\n', &line)) {
        if (memmem(line.ptr, line.len, undeclared, sizeof(undeclared) - 1) != NULL) {
            good = scene_fail(s, "%.*s", STR_ARG(line));
        }
        const char *end = memmem(line.ptr, line.len, at_end, sizeof(at_end) - 1);
        const char *once = memmem(line.ptr, line.len, at_once, sizeof(at_once) - 1);
        const char *from = end != NULL    ? end + sizeof(at_end) - 1
                           : once != NULL ? once + sizeof(at_once) - 1
                                          : NULL;
        if (from != NULL) {
            struct str where = str_n(from, line.len - (size_t)(from - line.ptr));
            note_absence(s, strtod(from, NULL), where);
        }
    }
    return good;
}

bool scene_check(struct scene *s)
{
    static const char *const logs[] = {"stdout.log", "nightdesk.log"};
    static const char *const secrets[] = {FAKE_TELEGRAM_TOKEN, FAKE_CLAUDE_KEY};
    bool good = check_folder(s, s->dir);
    for (size_t i = 0; i < COUNT_OF(logs); i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", s->dir, logs[i]);
        good = read_log(s, path) && good;
    }
    if (s->ended && s->absence_in[0] == '\0') {
        good = scene_fail(s, "the daemon did not log the longest absence of its ops loop");
    }
    good = check_violations(s, fake_telegram_violations(s->telegram)) && good;
    good = check_violations(s, fake_claude_violations(s->claude)) && good;
    good = (s->venue == NULL || venue_check(s)) && good;
    for (size_t i = 0; i < fake_telegram_sent_count(s->telegram); i++) {
        struct fake_telegram_sent sent;
        fake_telegram_get_sent(s->telegram, i, &sent);
        for (size_t k = 0; k < COUNT_OF(secrets); k++) {
            if (strstr(sent.text, secrets[k]) != NULL) {
                good = scene_fail(s, "a secret was sent: %s", sent.text);
            }
        }
        if (sent.chat == EVE) {
            good = scene_fail(s, "a message was sent to the unauthorised user: %s", sent.text);
        }
    }
    return good;
}
