/*
 * sealed_file.h: <state>/secrets.sealed, secrets by name, encrypted with a key or a passphrase; and
 * the search for that key.
 *
 *     struct sealed_file *file = NULL;
 *     rc = sealed_file_read(path, &file, err);            // its head; nothing is decrypted yet
 *     rc = sealed_key_find(&source, file, key, err);      // key: memory of seal_alloc
 *     rc = sealed_file_open(file, key, &set, err);
 *     value = sealed_set_get(&set, str_c("TELEGRAM_BOT_TOKEN"));
 *     rc = sealed_file_write(path, &head, key, &set, err);
 *
 * The file is four lines of text: what it is and its version; how it was sealed; the box; a
 * checksum, which tells damage from a wrong key. It is replaced as a whole, so a crash leaves the
 * old or the new one.
 *
 * The order in which a key is looked for, the first that fits counts (docs/operations.md):
 *     1. secrets.key in $CREDENTIALS_DIRECTORY    2. the key file    3. if it was sealed with a
 *     passphrase, only that, from `ask`
 *
 * Ownership: values belong to their set, in locked memory.
 * Thread: any, one at a time per object; sealed_key_find may wait for a person.
 */
#pragma once

#include "io/seal.h"

#define SEALED_FILE_NAME  "secrets.sealed"
#define SEALED_KEY_NAME   "secrets.key"
#define SEALED_MAX        64
#define SEALED_NAME_SIZE  64
#define SEALED_VALUE_MAX  4096
#define SEALED_ID_SIZE    17
#define SEALED_HOST_SIZE  65
#define SEALED_PHRASE_MAX 1024

struct sealed_head {
    bool by_passphrase;
    char key_id[SEALED_ID_SIZE]; /* a hash of the key */
    char host[SEALED_HOST_SIZE]; /* of the machine that sealed it, for messages */
    struct seal_cost cost;       /* by_passphrase only */
    uint8_t salt[SEAL_SALT_SIZE];
};

struct sealed_file {
    char path[4096];
    struct sealed_head head;
    struct buf text;
};

struct sealed_secret {
    char name[SEALED_NAME_SIZE];
    int64_t set_us;
    struct str value;
};
struct sealed_set {
    int count;
    struct sealed_secret items[SEALED_MAX]; /* by name */
    char *memory;                           /* what the values point into; NULL: none */
};

/* Like the name of an environment variable. */
bool sealed_name_is_valid(struct str name);
/* One line of 1 to SEALED_VALUE_MAX bytes of UTF-8. */
bool sealed_value_is_valid(struct str value);

/* ERR_FILE_MISSING if there is none; SEALED_EXPOSED, SEALED_VERSION, SEALED_TRUNCATED,
 * SEALED_DAMAGED. The caller frees *ret. */
int sealed_file_read(const char *path, struct sealed_file **ret, struct err *err);
void sealed_file_free(struct sealed_file *file);
bool sealed_file_fits(const struct sealed_file *file, const struct secret_key *key);
/* SEALED_WRONG_KEY or SEALED_PASSPHRASE; SEALED_DAMAGED. */
int sealed_file_open(const struct sealed_file *file, const struct secret_key *key,
                     struct sealed_set *ret, struct err *err);
/* Completes the head: key_id and host. Owner and mode 0600: those of the folder's owner. */
int sealed_file_write(const char *path, struct sealed_head *head, const struct secret_key *key,
                      const struct sealed_set *set, struct err *err);

/* An empty view if there is none of this name. */
struct str sealed_set_get(const struct sealed_set *set, struct str name);
/* Copies the value. ERR_SEALED_FULL. */
int sealed_set_put(struct sealed_set *set, struct str name, struct str value, int64_t set_us,
                   struct err *err);
/* ERR_SEALED_UNKNOWN. */
int sealed_set_remove(struct sealed_set *set, struct str name, struct err *err);
void sealed_set_release(struct sealed_set *set);

/* Where keys come from. */
struct sealed_source {
    const char *credentials; /* systemd's folder; NULL or "": none */
    const char *key_file;
    /* Writes the passphrase to ret (SEALED_PHRASE_MAX + 1 bytes of locked memory). NULL: nobody can
     * be asked, ERR_SEALED_KEY. */
    int (*ask)(char *ret, size_t *ret_len, void *userdata, struct err *err);
    void *userdata;
};
int sealed_key_find(const struct sealed_source *source, const struct sealed_file *file,
                    struct secret_key *ret, struct err *err);
/* The key for a first file: a credential, else the key file, else a new key, which is written to
 * the key file. */
int sealed_key_first(const struct sealed_source *source, struct secret_key *ret, struct err *err);
/* Writes one or two keys (more NULL: one) to the key file. */
int sealed_key_write(const char *path, const struct secret_key *key, const struct secret_key *more,
                     struct err *err);

static inline void sealed_file_cleanup(struct sealed_file **slot)
{
    sealed_file_free(*slot);
}
#define AUTO_SEALED_FILE AUTO(sealed_file_cleanup)
#define AUTO_SEALED_SET  AUTO(sealed_set_release)
