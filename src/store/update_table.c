#include "store/update_table.h"

#include "row.h"

int update_table_add(struct ops_store *store, const char *channel, int64_t update_id,
                     int64_t now_us, bool *ret_fresh, struct err *err)
{
    int rc = db_run(store->db,
                    "INSERT INTO updates(channel, update_id, received_us) VALUES (?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    DB_VALUES(DB_TEXT_C(channel), DB_I64(update_id), DB_I64(now_us)), err);
    if (rc == 0) {
        *ret_fresh = db_changes(store->db) > 0;
    }
    return rc;
}

static void offset_name(struct buf *out, const char *channel)
{
    buf_addf(out, "poll_offset.%s", channel);
}

int update_table_offset(struct ops_store *store, const char *channel, int64_t *ret, struct err *err)
{
    AUTO_BUF struct buf name = BUF_INIT(64);
    offset_name(&name, channel);
    return ops_store_get_i64(store, name.data, 0, ret, err);
}

int update_table_set_offset(struct ops_store *store, const char *channel, int64_t offset,
                            struct err *err)
{
    AUTO_BUF struct buf name = BUF_INIT(64);
    offset_name(&name, channel);
    return ops_store_write_i64(store, name.data, offset, err);
}
