#include "api/api.h"

#include "api_auth.h"
#include "api_internal.h"
#include "api_tally.h"
#include "base/check.h"
#include "config/config.h"
#include "stream.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Time for the listeners to send the last answers: local clients, a few KiB each. */
#define LAST_ANSWERS_NS (50 * 1000 * 1000L)

void api_grace(struct api *api, int64_t until_us)
{
    if (api != NULL) {
        (void)str_copy(str_c(api->token), api->before, sizeof(api->before));
        api->before_until_us = until_us;
    }
}

void api_apply(struct api *api, const struct config *config)
{
    if (api != NULL) {
        api->config = config;
        if (strcmp(config->api_token, api->token) != 0) {
            (void)str_copy(str_c(config->api_token), api->token, sizeof(api->token));
            stream_token_changed(api->stream);
        }
        api_auth_publish(api, config);
        api_listen_reload(api);
    }
}

int api_start(const struct api_options *options, struct api **ret, struct err *err)
{
    struct api *api = calloc(1, sizeof(*api));
    ASSERT(api != NULL);
    api->loop = options->loop;
    api->shared = options->shared;
    api->runner = options->runner;
    api->access = options->access;
    api->health = options->health;
    api->alerts = options->alerts;
    api->offer = options->offer;
    api->userdata = options->userdata;
    api->store = options->store;
    api->manifests = options->manifests;
    api->shelf = options->shelf;
    api->config = options->config;
    if (!str_copy(str_c(options->state_dir), api->state_dir, sizeof(api->state_dir))) {
        free(api);
        return err_set(err, ERR_FILE_FAILED, "%.80s…: the path is too long", options->state_dir);
    }
    api_events_start(api);
    api_tally_start(api);
    api_acting_start(api);
    (void)str_copy(str_c(options->config->api_token), api->token, sizeof(api->token));
    api->socket.readers = mailbox_new(sizeof(struct api_readers));
    api->tcp.readers = mailbox_new(sizeof(struct api_readers));
    api_auth_publish(api, options->config);

    api->stream = stream_new(&(struct stream_options){.loop = api->loop,
                                                      .shared = api->shared,
                                                      .reader = options->stream_reader,
                                                      .access = api->access,
                                                      .store = api->store,
                                                      .health = api->health,
                                                      .state_dir = api->state_dir},
                             err);
    int rc = api->stream == NULL ? -ERR_LOOP_SETUP : api_listen_start(api, options, err);
    if (rc < 0) {
        api_stop(api);
        return rc;
    }
    *ret = api;
    return 0;
}

void api_stop(struct api *api)
{
    if (api == NULL) {
        return;
    }
    stream_stop(api->stream);
    /* While the listeners still run, so that clients receive the reason; a stopped one only closes
     * the connection. */
    if (api_command_end(api) > 0) {
        const struct timespec moment = {.tv_nsec = LAST_ANSWERS_NS};
        (void)nanosleep(&moment, NULL);
    }
    /* Then stop the listeners' threads and answer the commands that they pushed in the meantime. */
    web_stop(api->socket.web);
    web_stop(api->tcp.web);
    (void)api_command_end(api);
    api_tally_end(api);
    api_listen_release(api);
    api_events_release(api);
    stream_free(api->stream);
    loop_source_free(api->acting_timer);
    free(api);
}

void api_tick(struct api *api)
{
    if (api != NULL) {
        if (api->before_until_us > 0 &&
            clock_wall_us(loop_clock(api->loop)) >= api->before_until_us) {
            api->before_until_us = 0; /* the grace of api_grace is over */
            explicit_bzero(api->before, sizeof(api->before));
            api_auth_publish(api, api->config);
            stream_token_changed(api->stream);
        }
        stream_tick(api->stream);
    }
}

uint16_t api_port(const struct api *api)
{
    return api->tcp.web == NULL ? 0 : web_port(api->tcp.web);
}
