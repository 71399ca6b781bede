#include "base/check.h"
#include "base/clock.h"
#include "io/secret.h"
#include "reload_internal.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_US (15 * 60 * USEC_PER_SEC) /* longer than a prompt and its second factor */

static void forget(struct reload_offer *offer)
{
    if (offer->text != NULL) {
        explicit_bzero(offer->text, strlen(offer->text));
    }
    free(offer->text);
    *offer = (struct reload_offer){.text = NULL};
}

void reload_forget_offers(struct reload *reload)
{
    for (int i = 0; i < RELOAD_OFFERS_MAX; i++) {
        forget(&reload->offers[i]);
    }
}

/* The slot of this text, or the one to use next. */
static struct reload_offer *slot_for(struct reload *reload, const char *hash)
{
    for (int i = 0; i < RELOAD_OFFERS_MAX; i++) {
        if (strcmp(reload->offers[i].hash, hash) == 0) {
            return &reload->offers[i];
        }
    }
    struct reload_offer *slot = &reload->offers[reload->offers_next];
    reload->offers_next = (reload->offers_next + 1) % RELOAD_OFFERS_MAX;
    return slot;
}

int reload_offer(struct reload *reload, struct str text, char ret_hash[65], struct err *err)
{
    if (text.len > RELOAD_TEXT_MAX) {
        return err_set(err, ERR_CONFIG_LIMIT, "%zu bytes, at most %zu", text.len, RELOAD_TEXT_MAX);
    }
    if (!str_is_utf8(text) || memchr(text.ptr, '\0', text.len) != NULL) {
        return err_set(err, ERR_BAD_UTF8, "the text of the configuration");
    }
    secret_hash(NULL, text, ret_hash);
    struct reload_offer *offer = slot_for(reload, ret_hash);
    forget(offer);
    (void)str_copy(str_c(ret_hash), offer->hash, sizeof(offer->hash));
    offer->text = strndup(text.ptr, text.len);
    ASSERT(offer->text != NULL);
    offer->at_mono_us = clock_mono_us(reload->o.clock);
    return 0;
}

const char *reload_offered(const struct reload *reload, const char *hash, struct err *err)
{
    for (int i = 0; i < RELOAD_OFFERS_MAX; i++) {
        const struct reload_offer *offer = &reload->offers[i];
        if (offer->text != NULL && strcmp(offer->hash, hash) == 0 &&
            clock_mono_us(reload->o.clock) - offer->at_mono_us < KEPT_US) {
            return offer->text;
        }
    }
    (void)err_set(err, ERR_CONFIG_CANDIDATE, "%.16s…", hash);
    return NULL;
}
