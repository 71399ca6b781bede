#include "access_rig.h"

#include "io/secret.h"

#include <string.h>

void access_rig_add_user(struct config *c, int64_t id, const char *name, const char *role,
                         bool emergency)
{
    c->users[c->user_count++] =
        (struct config_user){.id = id, .name = name, .role = role, .emergency = emergency};
}

void access_rig_add_local(struct config *c, int64_t uid, const char *name, const char *role,
                          bool emergency)
{
    c->locals[c->local_count++] =
        (struct config_local){.uid = uid, .name = name, .role = role, .emergency = emergency};
}

int access_rig_setup(void **state)
{
    static struct access_rig rig;
    struct access_rig *s = &rig;
    memset(s, 0, sizeof(*s));
    clock_fake_init(&s->clock, ACCESS_RIG_WALL_US);
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &s->store, NULL), 0);
    s->config.telegram_bot_token = "1:x";
    access_rig_add_user(&s->config, 7, "alice", "operator", false);
    access_rig_add_user(&s->config, 8, "rita", "read_only", true);
    access_rig_add_user(&s->config, 9, "adam", "admin", true);
    assert_int_equal(access_new(&s->config, s->store, &s->clock.clock, &s->access, NULL), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 9, &s->adam), 0);
    *state = s;
    return 0;
}

int access_rig_teardown(void **state)
{
    struct access_rig *s = *state;
    access_free(s->access);
    ops_store_free(s->store);
    return 0;
}

void access_rig_restart(struct access_rig *s)
{
    access_free(s->access);
    s->access = NULL;
    assert_int_equal(access_new(&s->config, s->store, &s->clock.clock, &s->access, NULL), 0);
}

static int fail_writes(const char *what, void *userdata)
{
    (void)what;
    (void)userdata;
    return -ERR_DB_FULL;
}

void access_rig_fail_writes(struct access_rig *s, bool fail)
{
    ops_store_set_fault(s->store, fail ? fail_writes : NULL, NULL);
}

const struct audit_row *access_rig_audited(struct access_rig *s)
{
    static struct audit_row row;
    assert_int_equal(audit_chain_list(s->store, 0, &row, 1, NULL), 1);
    return &row;
}
