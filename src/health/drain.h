/*
 * drain.h: blue/green: stops the colour that was live before, some time after a switch
 * (release_drain), by the command /drain. So it is refused while somebody deploys or rolls back,
 * and is in the audit log.
 *
 *     service->drain = drain_new(service, since_us);     // a colour has become live
 *     drain_free(service->drain);                        // another one has
 *
 * Always true: the command is only begun while the unit of the other colour runs; until it does
 * not, it is tried again, more and more rarely. After a start of nightdesk the time goes on.
 * Thread: ops.
 */
#pragma once

#include <stdint.h>

struct drain;
struct service;

struct drain *drain_new(struct service *service, int64_t since_wall_us);
void drain_free(struct drain *drain); /* accepts NULL */
