#include "accept.h"

#include <string.h>
#include <strings.h>

static bool is_trusted(const struct accept_policy *policy, const char *key)
{
    for (size_t i = 0; i < policy->key_count; i++) {
        if (strcasecmp(policy->keys[i], key) == 0) {
            return true;
        }
    }
    return policy->key_count == 0 && policy->unsigned_allowed;
}

/* Without a signature only the file's name says what it is. */
static int read_unsigned(const char *path, const struct accept_policy *policy,
                         struct signature *ret, struct err *err)
{
    *ret = (struct signature){.bytes = 0};
    if (!release_id_from_file(path, &ret->id)) {
        if (policy->version[0] == '\0') {
            const char *slash = strrchr(path, '/');
            return err_set(err, ERR_RELEASE_NAME, "%s: no version in the name of the file",
                           slash == NULL ? path : slash + 1);
        }
        (void)str_copy(str_c(policy->name), ret->id.name, sizeof(ret->id.name));
        (void)str_copy(str_c(policy->version), ret->id.version, sizeof(ret->id.version));
    }
    return sign_hash_file(path, ret->hash, &ret->bytes, err);
}

int accept_artefact(const char *path, const struct accept_policy *policy,
                    struct layout_release *ret, struct err *err)
{
    struct signature found;
    int rc = signature_check(path, &found, err);
    if (rc == -ERR_RELEASE_UNSIGNED && policy->unsigned_allowed) {
        err_clear(err);
        rc = read_unsigned(path, policy, &found, err);
    } else if (rc == 0 && !is_trusted(policy, found.key)) {
        return err_set(err, ERR_RELEASE_SIGNATURE,
                       "signed with the key %.16s…, which is not in "
                       "release_keys of %s",
                       found.key, policy->name);
    }
    if (rc < 0) {
        return rc;
    }
    if (strcmp(found.id.name, policy->name) != 0) {
        return err_set(err, ERR_RELEASE_NAME, "it is a release of %s, not of %s", found.id.name,
                       policy->name);
    }
    if (policy->version[0] != '\0' && strcmp(found.id.version, policy->version) != 0) {
        return err_set(err, ERR_RELEASE_NAME, "it has version %s, not %s", found.id.version,
                       policy->version);
    }
    *ret = (struct layout_release){.bytes = found.bytes};
    (void)str_copy(str_c(found.id.version), ret->version, sizeof(ret->version));
    (void)str_copy(str_c(found.hash), ret->hash, sizeof(ret->hash));
    (void)str_copy(str_c(found.key), ret->signer, sizeof(ret->signer));
    return 0;
}
