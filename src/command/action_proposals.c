#include "base/auto.h"
#include "base/check.h"
#include "builtin.h"
#include "io/json_out.h"
#include "proposals.h"
#include "store/run_table.h"

#define LISTED_MAX 15

/* NULL: it has no run, or that is no longer kept. */
static const char *run_state_of(struct ops_store *store, const struct proposal *p)
{
    AUTO_RUN_ROW struct run_row row = {0};
    return p->run_id != 0 && run_table_get(store, p->run_id, &row, NULL) == 0
               ? run_state_name(row.state)
               : NULL;
}

static int list(const struct builtin *builtin, struct reply *r, struct err *err)
{
    struct proposal all[LISTED_MAX];
    int n = proposal_table_list(builtin->store, all, LISTED_MAX, err);
    if (n < 0) {
        return n;
    }
    int open = 0;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "proposals");
    for (int i = 0; i < n; i++) {
        const char *run = run_state_of(builtin->store, &all[i]);
        open += all[i].state == PROPOSED_OPEN ? 1 : 0;
        json_out_object(&data, NULL);
        proposal_json(&all[i], run, &data);
        json_out_end(&data);
    }
    json_out_end(&data);
    reply_title(r, TONE_PLAIN, "Proposals: %d open", open);
    if (n > 0) {
        reply_columns(r, "#", "command", "by", "state", "run");
    }
    for (int i = 0; i < n; i++) {
        const char *run = run_state_of(builtin->store, &all[i]);
        reply_cells(r, cell_count(all[i].id), cell_text(all[i].line), cell_text(all[i].user),
                    cell_text(proposal_state_name(all[i].state)),
                    run != NULL ? cell_text(run) : cell_none());
        if (all[i].state == PROPOSED_OPEN) {
            AUTO_BUF struct buf button = BUF_INIT(64);
            buf_addf(&button, "/proposals %lld", (long long)all[i].id);
            reply_button(r, button.data, button.data, BUTTON_PLAIN);
        }
        proposal_release(&all[i]);
    }
    return ACTION_DONE;
}

static int show(const struct builtin *builtin, int64_t id, struct reply *r, struct err *err)
{
    AUTO_PROPOSAL struct proposal p = {0};
    int rc = proposal_table_get(builtin->store, id, &p, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        return err_set(err, ERR_PROPOSAL_UNKNOWN, "%lld", (long long)id);
    }
    if (rc < 0) {
        return rc;
    }
    const char *run = run_state_of(builtin->store, &p);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    proposal_show(&p, clock_wall_us(builtin->clock), r);
    if (run != NULL) {
        reply_line(r, "Run %lld: %s", (long long)p.run_id, run);
    }
    json_out_object(&data, "proposal");
    proposal_json(&p, run, &data);
    json_out_end(&data);
    return ACTION_DONE;
}

static int show_proposals(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    return action_value(call, "id") == NULL
               ? list(builtin, action_reply(call), err)
               : show(builtin, action_int(call, "id"), action_reply(call), err);
}

const struct action action_proposals_rows[] = {
    {.name = "command.proposals",
     .summary = "Commands that programs have proposed, and what people made of them",
     .data = "proposals proposal",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "id",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .help = "number of the proposal; all if left out"}),
     .run = show_proposals},
    {0},
};
