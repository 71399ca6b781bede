#include "base/check.h"
#include "base/clock.h"
#include "cli_unseal.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/prompt.h"
#include "store/sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define PASSPHRASE_MIN 8

/* One call: what is sealed now, and what it will be sealed with. */
struct job {
    const struct cli_args *args;
    const struct config *config;
    const char *folder;
    struct cli_unseal unseal;
    struct sealed_file *file; /* NULL: there is none yet */
    struct sealed_head head;
    struct secret_key *key; /* memory of seal_alloc */
    struct sealed_set set;
    int lock_fd;
};

static void job_release(struct job *job)
{
    sealed_set_release(&job->set);
    sealed_file_free(job->file);
    seal_release(job->key);
    unseal_release(&job->unseal.unseal);
    if (job->lock_fd >= 0) {
        (void)close(job->lock_fd);
    }
}

static const char *path_of(const struct job *job)
{
    return job->unseal.unseal.path;
}

static const char *key_file_of(const struct job *job)
{
    return job->unseal.unseal.key_file;
}

static struct sealed_source source_of(struct job *job)
{
    return (struct sealed_source){.credentials = getenv("CREDENTIALS_DIRECTORY"),
                                  .key_file = key_file_of(job),
                                  .ask = cli_unseal_ask,
                                  .userdata = &job->unseal};
}

/* Two writers would lose the change of one. The folder itself is locked: no file stays behind. */
static int lock_folder(struct job *job, struct err *err)
{
    job->lock_fd = open(job->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->lock_fd < 0) {
        return err_set(err, errno == EACCES ? ERR_FILE_DENIED : ERR_FILE_FAILED, "%.300s: %s",
                       job->folder, strerror(errno));
    }
    return flock(job->lock_fd, LOCK_EX | LOCK_NB) == 0
               ? 0
               : err_set(err, ERR_FILE_LOCKED, "%.300s: another nightdesk secret is running",
                         job->folder);
}

/* Reads and opens the file; job->file stays NULL if there is none. */
static int open_file(struct job *job, struct err *err)
{
    struct sealed_source source = source_of(job);
    if (!file_exists(path_of(job))) {
        return 0;
    }
    int rc = sealed_file_read(path_of(job), &job->file, err);
    rc = rc < 0 ? rc : sealed_key_find(&source, job->file, job->key, err);
    if (rc == 0) {
        job->head = job->file->head;
        rc = sealed_file_open(job->file, job->key, &job->set, err);
    }
    return rc;
}

/* ------------------------------------------------------------------ what seals */

/* On a terminal twice, since a typing error could not be undone. */
static int ask_new(struct job *job, char *phrase, size_t *ret_len, struct err *err)
{
    size_t len = 0;
    job->unseal.label = "New passphrase: ";
    int rc = cli_unseal_ask(phrase, ret_len, &job->unseal, err);
    if (rc < 0 || cli_value(job->args, "--passphrase-fd") != NULL) {
        return rc;
    }
    char *again = seal_alloc(SEALED_PHRASE_MAX + 1);
    job->unseal.label = "The same again: ";
    rc = cli_unseal_ask(again, &len, &job->unseal, err);
    if (rc == 0 && !secret_equal(str_n(phrase, *ret_len), str_n(again, len))) {
        rc = err_set(err, ERR_SEALED_NEW_PASSPHRASE, "the two entries differ");
    }
    seal_release(again);
    return rc;
}

static int new_passphrase(struct job *job, struct err *err)
{
    char *phrase = seal_alloc(SEALED_PHRASE_MAX + 1);
    size_t len = 0;
    int rc = ask_new(job, phrase, &len, err);
    if (rc == 0 && (len < PASSPHRASE_MIN || !str_is_utf8(str_n(phrase, len)))) {
        rc = err_set(err, ERR_SEALED_NEW_PASSPHRASE, "%s",
                     len < PASSPHRASE_MIN ? "it is too short" : "it is not UTF-8");
    }
    job->head = (struct sealed_head){.by_passphrase = true, .cost = SEAL_COST_DEFAULT};
    secret_random(job->head.salt, sizeof(job->head.salt));
    rc = rc < 0 ? rc
                : seal_key_of_passphrase(str_n(phrase, len), job->head.salt, &job->head.cost,
                                         job->key, err);
    seal_release(phrase);
    return rc;
}

static int make_key_folder(const struct job *job, struct err *err)
{
    char folder[4096];
    const char *path = key_file_of(job), *slash = strrchr(path, '/');
    return slash == NULL || slash == path ||
                   !str_copy(str_n(path, (size_t)(slash - path)), folder, sizeof(folder)) ||
                   file_exists(folder)
               ? 0
               : file_make_folder(folder, 0700, err);
}

/* --seal; *ret is not changed if it was not given. */
static int read_seal(const struct job *job, bool *ret_passphrase, struct err *err)
{
    const char *word = cli_value(job->args, "--seal");
    if (word != NULL && strcmp(word, "key") != 0 && strcmp(word, "passphrase") != 0) {
        return err_set(err, ERR_CLI_USAGE, "--seal takes key or passphrase");
    }
    *ret_passphrase = word == NULL ? *ret_passphrase : strcmp(word, "passphrase") == 0;
    return 0;
}

static int first_key(struct job *job, struct err *err)
{
    struct sealed_source source = source_of(job);
    bool passphrase = false;
    int rc = read_seal(job, &passphrase, err);
    if (rc < 0 || passphrase) {
        return rc < 0 ? rc : new_passphrase(job, err);
    }
    rc = make_key_folder(job, err);
    return rc < 0 ? rc : sealed_key_first(&source, job->key, err);
}

static int write_file(struct job *job, struct err *err)
{
    return sealed_file_write(path_of(job), &job->head, job->key, &job->set, err);
}

/* ------------------------------------------------------------------ what is printed */

static const char *length_class(size_t len)
{
    return len < 16 ? "under 16" : len < 32 ? "16 to 31" : len < 64 ? "32 to 63" : "64 or more";
}

static void add_json(const struct job *job, struct buf *out)
{
    struct json_out json = JSON_OUT(out);
    json_out_document(&json, "nightdesk.secrets/1");
    json_out_text(&json, "file", path_of(job));
    json_out_text(&json, "sealed_with", job->head.by_passphrase ? "passphrase" : "key");
    json_out_array(&json, "secrets");
    for (int i = 0; i < job->set.count; i++) {
        json_out_object(&json, NULL);
        json_out_text(&json, "name", job->set.items[i].name);
        json_out_time(&json, "set_at", job->set.items[i].set_us);
        json_out_text(&json, "length", length_class(job->set.items[i].value.len));
        json_out_end(&json);
    }
    json_out_end(&json);
    json_out_end(&json);
    buf_add_char(out, '\n');
}

static void add_list(const struct job *job, struct buf *out)
{
    for (int i = 0; i < job->set.count; i++) {
        const struct sealed_secret *item = &job->set.items[i];
        buf_addf(out, "%-32s ", item->name);
        clock_add_iso(out, item->set_us, false);
        buf_addf(out, "  %s bytes\n", length_class(item->value.len));
    }
    if (job->file == NULL) {
        buf_addf(out, "No secrets are sealed in %s.\n", job->folder);
    } else {
        buf_addf(out, "%d sealed in %s with %s.\n", job->set.count, path_of(job),
                 job->head.by_passphrase ? "a passphrase" : "a key");
    }
}

/* done: what was changed, for people. */
static int show(struct job *job, const char *done)
{
    AUTO_BUF struct buf out = BUF_INIT((size_t)64 * 1024);
    if (cli_flag(job->args, "--json")) {
        add_json(job, &out);
    } else if (done != NULL) {
        buf_addf(&out, "%s\n", done);
    } else {
        add_list(job, &out);
    }
    cli_print(buf_str(&out));
    return 0;
}

static void add_seal(const struct job *job, struct buf *out)
{
    if (job->head.by_passphrase) {
        buf_add_c(out, "with a passphrase");
    } else if (file_exists(key_file_of(job))) {
        buf_addf(out, "with the key in %s", key_file_of(job));
    } else {
        buf_add_c(out, "with the credential " SEALED_KEY_NAME);
    }
}

/* ------------------------------------------------------------------ the four */

static int read_value(const char *name, char *ret, size_t *ret_len, struct err *err)
{
    AUTO_BUF struct buf label = BUF_INIT(128);
    bool typed = isatty(STDIN_FILENO);
    buf_addf(&label, "Value of %s (not shown): ", name);
    int rc = typed ? prompt_hidden(label.data, ret, SEALED_VALUE_MAX + 3, ret_len, err)
                   : prompt_read_all(STDIN_FILENO, ret, SEALED_VALUE_MAX + 3, ret_len, err);
    if (rc == 0) {
        *ret_len -= *ret_len > 0 && ret[*ret_len - 1] == '\n' ? 1 : 0;
        *ret_len -= *ret_len > 0 && ret[*ret_len - 1] == '\r' ? 1 : 0;
    }
    if (rc == -ERR_BUF_FULL || (rc == 0 && !sealed_value_is_valid(str_n(ret, *ret_len)))) {
        rc = err_set(err, ERR_SEALED_VALUE, "%s",
                     rc < 0          ? "it is too long"
                     : *ret_len == 0 ? "it is empty"
                                     : "it has several lines, control characters or invalid text");
    }
    return rc;
}

static int set_value(struct job *job, struct str name, struct err *err)
{
    char *value = seal_alloc(SEALED_VALUE_MAX + 3);
    size_t len = 0;
    int rc = read_value(name.ptr, value, &len, err);
    rc = rc < 0
             ? rc
             : sealed_set_put(&job->set, name, str_n(value, len), clock_wall_us(clock_real()), err);
    rc = rc < 0 ? rc : write_file(job, err);
    seal_release(value);
    return rc;
}

static int set(struct job *job, struct err *err)
{
    struct str name = str_c(job->args->word_count > 1 ? job->args->word[1] : "");
    if (!sealed_name_is_valid(name)) {
        return err_set(err, ERR_SEALED_NAME, "%s", name.len == 0 ? "none was given" : "");
    }
    if (job->args->word_count > 2) {
        return err_set(err, ERR_SEALED_VALUE,
                       "it was given on the command line, where other "
                       "users see it: replace it where it came from");
    }
    int rc = file_make_folder(job->folder, 0750, err);
    rc = rc < 0 ? rc : lock_folder(job, err);
    rc = rc < 0 ? rc : open_file(job, err);
    if (rc == 0 && job->file == NULL) {
        rc = first_key(job, err);
    } else if (rc == 0 && cli_value(job->args, "--seal") != NULL) {
        rc = err_set(err, ERR_CLI_USAGE, "--seal is for the first secret; then use rotate");
    }
    rc = rc < 0 ? rc : set_value(job, name, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_BUF struct buf done = BUF_INIT(16384);
    buf_addf(&done, "%s is sealed in %s ", name.ptr, path_of(job));
    add_seal(job, &done);
    buf_addf(&done, ".%s",
             config_refers_to(job->config, name)
                 ? " It takes effect at the next start or, where the option allows it, a reload."
                 : "\nNothing in the configuration refers to it yet.");
    return show(job, done.data);
}

static int list(struct job *job, struct err *err)
{
    if (job->args->word_count > 1) {
        return err_set(err, ERR_CLI_USAGE, "list takes no name");
    }
    int rc = open_file(job, err);
    return rc < 0 ? rc : show(job, NULL);
}

/* A file must be there. */
static int open_existing(struct job *job, struct err *err)
{
    int rc = lock_folder(job, err);
    rc = rc < 0 ? rc : open_file(job, err);
    return rc == 0 && job->file == NULL ? err_set(err, ERR_FILE_MISSING, "%s", path_of(job)) : rc;
}

static int rm(struct job *job, struct err *err)
{
    struct str name = str_c(job->args->word_count > 1 ? job->args->word[1] : "");
    if (!sealed_name_is_valid(name) || job->args->word_count > 2) {
        return err_set(err, ERR_SEALED_NAME, "rm takes one name");
    }
    int rc = open_existing(job, err);
    rc = rc < 0 ? rc : sealed_set_remove(&job->set, name, err);
    rc = rc < 0 ? rc : write_file(job, err);
    AUTO_BUF struct buf done = BUF_INIT(256);
    buf_addf(&done, "%s is removed.", name.ptr);
    return rc < 0 ? rc : show(job, done.data);
}

/* The key file holds both keys while the sealed file changes, so that a crash between any two
 * writes leaves one that fits. */
static int rotate_key(struct job *job, struct err *err)
{
    bool was_key = !job->head.by_passphrase;
    if (was_key && !file_exists(key_file_of(job))) {
        return err_set(err, ERR_SEALED_KEY,
                       "the key is a credential, which cannot be replaced from here; rotate with "
                       "--seal passphrase, or with the key in %.200s",
                       key_file_of(job));
    }
    struct secret_key *old = seal_alloc(sizeof(*old));
    *old = *job->key;
    secret_random(job->key->bytes, sizeof(job->key->bytes));
    job->head = (struct sealed_head){.by_passphrase = false};
    int rc = make_key_folder(job, err);
    rc = rc < 0 ? rc
                : sealed_key_write(key_file_of(job), was_key ? old : job->key,
                                   was_key ? job->key : NULL, err);
    rc = rc < 0 ? rc : write_file(job, err);
    rc = rc < 0 ? rc : sealed_key_write(key_file_of(job), job->key, NULL, err);
    seal_release(old);
    return rc;
}

static int rotate_passphrase(struct job *job, struct err *err)
{
    bool was_key = !job->head.by_passphrase;
    int rc = new_passphrase(job, err);
    rc = rc < 0 ? rc : write_file(job, err);
    if (rc == 0 && was_key && unlink(key_file_of(job)) < 0 && errno != ENOENT) {
        rc = err_set(err, ERR_FILE_FAILED,
                     "%.200s is not needed any more, and cannot be deleted: %s", key_file_of(job),
                     strerror(errno));
    }
    return rc;
}

static int rotate(struct job *job, struct err *err)
{
    if (job->args->word_count > 1) {
        return err_set(err, ERR_CLI_USAGE, "rotate takes no name: it seals all secrets again");
    }
    int rc = open_existing(job, err);
    bool passphrase = job->head.by_passphrase;
    rc = rc < 0 ? rc : read_seal(job, &passphrase, err);
    rc = rc < 0 ? rc : passphrase ? rotate_passphrase(job, err) : rotate_key(job, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_BUF struct buf done = BUF_INIT(16384);
    buf_addf(&done, "%d secret%s sealed again, ", job->set.count,
             job->set.count == 1 ? " is" : "s are");
    add_seal(job, &done);
    buf_add_c(&done, ". Restart nightdesk if it is running: it still has the old key.");
    return show(job, done.data);
}

static int run_word(struct job *job, struct err *err)
{
    static const struct {
        const char *word;
        int (*run)(struct job *job, struct err *err);
    } words[] = {{"set", set}, {"list", list}, {"rotate", rotate}, {"rm", rm}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(job->args->word[0], words[i].word) == 0) {
            return words[i].run(job, err);
        }
    }
    return err_set(err, ERR_CLI_USAGE, "secret takes set, list, rotate or rm");
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    struct err err = {0}, unlocked = {0};
    if (cli_load_config_without_secrets(args, &config, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO(job_release) struct job job = {.args = args, .config = config, .lock_fd = -1};
    job.folder = cli_find_state_dir(args, config);
    job.key = seal_alloc(sizeof(*job.key));
    cli_unseal_init(&job.unseal, args);
    unseal_paths(&job.unseal.unseal, job.folder, config->secrets_key_file);
    int rc = run_word(&job, &err);
    if (seal_check_locked(&unlocked) < 0) {
        (void)fprintf(stderr, "warning: ");
        (void)cli_fail(NULL, &unlocked, CLI_FINE);
    }
    return rc < 0 ? cli_fail(args, &err, rc == -ERR_CLI_USAGE ? CLI_CRITICAL : CLI_REFUSED)
                  : CLI_FINE;
}

const struct cli_command cmd_secret = {
    .name = "secret",
    .summary = "Keep secrets sealed in the state folder: set, list, rotate, rm",
    .words = "set NAME|list|rotate|rm NAME",
    .words_min = 1,
    .words_max = CLI_WORDS_MAX,
    .options = {{"--seal", "KIND",
                 "key (default) or passphrase: what the first set, or rotate, seals with"},
                CLI_OPTION_PASSPHRASE,
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "set asks for the value in the terminal without showing it, or reads it from standard\n"
        "input; never from the command line. The configuration refers to it as ${NAME}, as to an\n"
        "environment variable: TELEGRAM_BOT_TOKEN needs no configuration at all.\n"
        "list shows the names, when each was set, and roughly how long it is; no value is ever\n"
        "shown. rm removes one. rotate seals all with a new key or passphrase.\n"
        "The key is the credential secrets.key of systemd, else secrets.key in the state folder\n"
        "(for the installed service /etc/credstore/nightdesk.secrets.key, or the option\n"
        "secrets.key_file), made by the first set, mode 0600. With --seal passphrase it is "
        "derived\n"
        "with Argon2id, and nightdesk run asks for the passphrase at each start. Keep a copy of\n"
        "the key elsewhere: without it the secrets are lost.\n"
        "With --passphrase-fd, rotate reads the new passphrase as the next line of it.",
    .exits = "  0  done\n"
             "  1  refused: wrong key or passphrase, a damaged or exposed file, a bad value\n"
             "  2  wrong usage, or the configuration cannot be read\n",
    .run = run,
};
