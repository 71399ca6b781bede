/*
 * stream_services.h: the services as ops passes them to the stream's thread, through a mailbox.
 *
 *     struct stream_services *draft = mailbox_draft(mailbox);
 *     draft->count = …; mailbox_publish(mailbox);
 *
 * Thread: any (plain values).
 */
#pragma once

#include "config/config.h"
#include "health/health.h"

#include <stdbool.h>
#include <stddef.h>

struct stream_services {
    bool known;
    size_t count;
    struct health_service list[CONFIG_SERVICES_MAX];
};
