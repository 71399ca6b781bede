/*
 * access_rig.h: access with a database in memory, a fake clock and three users of the
 * configuration: alice (7, operator), rita (8, read_only with the emergency grant), adam (9, admin
 * with it).
 *
 *     struct access_rig *s = *state;
 *     ... UNIT_GROUP(people, ACCESS_RIG_TEST(a_granted_person_is_identified), ...)
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "access/access.h"
#include "base/clock.h"
#include "config/config.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "unit/unit.h"

#define ACCESS_RIG_WALL_US INT64_C(1795000000000000)

struct access_rig {
    struct clock_fake clock;
    struct config config;
    struct ops_store *store;
    struct access *access;
    struct principal adam;
    char folder[64];   /* "": in memory */
    struct db *locker; /* another process */
};

int access_rig_setup(void **state);
int access_rig_teardown(void **state);
#define ACCESS_RIG_TEST(test) \
    cmocka_unit_test_setup_teardown(test, access_rig_setup, access_rig_teardown)

void access_rig_add_user(struct config *c, int64_t id, const char *name, const char *role,
                         bool emergency);
void access_rig_add_local(struct config *c, int64_t uid, const char *name, const char *role,
                          bool emergency);
/* What a restart does: everything in memory is read again. */
void access_rig_restart(struct access_rig *s);
/* With a new, empty database in a temporary folder, which another process can lock. */
void access_rig_move_to_disk(struct access_rig *s);
void access_rig_lock(struct access_rig *s);
void access_rig_unlock(struct access_rig *s);
void access_rig_fail_writes(struct access_rig *s, bool fail);
/* From now on no read or write of this table works. */
void access_rig_drop_table(struct access_rig *s, const char *table);
/* The newest row of the audit log; static memory. */
const struct audit_row *access_rig_audited(struct access_rig *s);
