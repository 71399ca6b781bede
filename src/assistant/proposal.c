#include "assistant_internal.h"
#include "base/auto.h"
#include "base/buf.h"

#include <ctype.h>
#include <string.h>

#define STEM_LEAST 3 /* letters that a word of the person and one of the command have in common */

/* Words that people use for a command. */
static const struct {
    const char *command;
    const char *words;
} said_as[] = {
    {"pause", "stop halt hold suspend"},
    {"resume", "continue unpause start"},
    {"restart", "bounce reboot kick"},
    {"force_restart", "bounce reboot kick kill"},
    {"emergency_stop", "panic kill flatten"},
    {"close", "exit sell flatten"},
    {"mute", "silence quiet"},
    {"ack", "acknowledge"},
    {"rollback", "revert undo back"},
    {"deploy", "release install ship"},
    {"maintenance", "downtime"},
};

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) != 0;
}

/* Whether the text has a word that begins with the first letters of `word` (all of a short one):
 * "restarted" says restart. */
static bool says(const char *text, struct str word)
{
    size_t stem = word.len > STEM_LEAST + 2 ? word.len - 2 : word.len;
    for (const char *at = text; stem > 0 && *at != '\0'; at++) {
        bool begins = at == text || !is_word_char(at[-1]);
        if (begins && strlen(at) >= stem && strncasecmp(at, word.ptr, stem) == 0) {
            return true;
        }
    }
    return false;
}

static bool says_any(const char *text, const char *words, char separator)
{
    struct str rest = str_c(words), word;
    while (str_split(&rest, separator, &word)) {
        if (word.len >= STEM_LEAST && says(text, word)) {
            return true;
        }
    }
    return false;
}

static bool says_command(const char *text, const struct manifest *m)
{
    bool said = says_any(text, m->name, '_');
    for (int i = 0; i < m->alias_count; i++) {
        said = said || says_any(text, m->aliases[i], '_');
    }
    for (size_t i = 0; i < sizeof(said_as) / sizeof(said_as[0]); i++) {
        said = said ||
               (strcmp(said_as[i].command, m->name) == 0 && says_any(text, said_as[i].words, ' '));
    }
    return said;
}

/* "BTC-USD" is said as "BTC"; "service=demo" as "demo". */
static bool says_argument(const char *text, struct str argument)
{
    const char *equals = memchr(argument.ptr, '=', argument.len);
    if (equals != NULL) {
        argument = str_n(equals + 1, argument.len - (size_t)(equals + 1 - argument.ptr));
    }
    const char *dash = memchr(argument.ptr, '-', argument.len);
    struct str base = dash != NULL && dash > argument.ptr
                          ? str_n(argument.ptr, (size_t)(dash - argument.ptr))
                          : argument;
    return base.len == 0 || says(text, base) ||
           (str_equal_nocase(argument, "all") && says_any(text, "all every everything", ' '));
}

/* A line of a log, or the name of a coin, may ask for something: only what the person's own words
 * name is proposed. */
static bool is_asked_for(const struct ask *q, const struct manifest *m, struct str arguments)
{
    struct str word;
    if (!says_command(q->text, m)) {
        return false;
    }
    while (str_word(&arguments, &word)) {
        if (!says_argument(q->text, word) && !says_argument(q->subject, word) &&
            !says_argument(q->said_all.data, word)) {
            return false;
        }
    }
    return true;
}

static bool is_plain(struct str line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] < ' ' || line.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

bool proposal_add(struct ask *q, struct str line, struct buf *why)
{
    const struct assistant *assistant = q->assistant;
    struct str rest = str_trim(line), word = str_c("");
    char name[MANIFEST_NAME_SIZE + 1] = "";
    (void)str_word(&rest, &word);
    if (word.len > 0 && word.ptr[0] == '/') {
        word = str_n(word.ptr + 1, word.len - 1);
    }
    (void)str_copy(word, name, sizeof(name));
    const struct manifest *m = manifest_find(assistant->manifests, name);
    if (m == NULL || !manifest_is_visible(m, q->who.channel)) {
        buf_addf(why, "there is no command /%s", name);
    } else if (!m->changes) {
        buf_addf(why, "/%s only reads: call it as a tool", name);
    } else if (manifest_permit(m, &q->who, NULL, NULL) < 0) {
        buf_addf(why, "this person may not run /%s", name);
    } else if (str_trim(line).len + 1 >= PROPOSAL_SIZE || !is_plain(line)) {
        buf_add_c(why, "the line is too long for a button, or has characters that none has");
    } else if (!is_asked_for(q, m, str_trim(rest))) {
        buf_add_c(why, "the person has not asked for this in the question; say what can be done, "
                       "and leave it to them");
    } else if (q->proposal_count == PROPOSALS_MAX) {
        buf_addf(why, "%d commands are proposed already", PROPOSALS_MAX);
    } else {
        AUTO_BUF struct buf whole = BUF_INIT(PROPOSAL_SIZE);
        buf_addf(&whole, "/%s", name);
        rest = str_trim(rest);
        if (rest.len > 0) {
            buf_addf(&whole, " %.*s", STR_ARG(rest));
        }
        (void)str_copy(buf_str(&whole), q->proposals[q->proposal_count++], PROPOSAL_SIZE);
        return true;
    }
    return false;
}
