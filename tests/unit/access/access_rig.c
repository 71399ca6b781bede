#include "access_rig.h"

#include "../../../src/store/row.h"
#include "io/secret.h"

#include <ftw.h>
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

static int delete_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

int access_rig_teardown(void **state)
{
    struct access_rig *s = *state;
    access_free(s->access);
    ops_store_free(s->store);
    if (s->folder[0] != '\0') {
        assert_int_equal(nftw(s->folder, delete_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    }
    return 0;
}

void access_rig_move_to_disk(struct access_rig *s)
{
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/nd-access-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    access_free(s->access);
    ops_store_free(s->store);
    s->access = NULL;
    assert_int_equal(ops_store_open(s->folder, OPS_STORE_WRITE, &s->store, NULL), 0);
    access_rig_restart(s);
}

void access_rig_lock(struct access_rig *s)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/ops.db", s->folder);
    assert_int_equal(db_open(&(struct db_options){.path = path}, &s->locker, NULL), 0);
    assert_int_equal(db_begin(s->locker, NULL), 0);
}

void access_rig_unlock(struct access_rig *s)
{
    db_rollback(s->locker);
    db_free(s->locker);
    s->locker = NULL;
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

void access_rig_drop_table(struct access_rig *s, const char *table)
{
    char sql[64];
    (void)snprintf(sql, sizeof(sql), "DROP TABLE %s", table);
    assert_int_equal(db_exec(s->store->db, sql, NULL), 0);
}

const struct audit_row *access_rig_audited(struct access_rig *s)
{
    static struct audit_row row;
    assert_int_equal(audit_chain_list(s->store, 0, &row, 1, NULL), 1);
    return &row;
}
