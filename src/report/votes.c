#include "votes.h"

#include "base/check.h"
#include "names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AGENTS_MAX 16

struct agent {
    char name[NAMES_BYTES];
    int64_t votes;
    int64_t longs;
    int64_t shorts;
    int64_t confident; /* votes with a confidence */
    double sum;        /* of confidences */
    double least;
    double most;
    double weight; /* the largest */
};

struct votes {
    struct names names;
    struct agent agents[AGENTS_MAX];
    int rc;
    struct err err;
};

static void take_vote(struct votes *votes, const struct json_object *vote)
{
    bool fresh = false;
    struct str name = json_str(vote, "agent"), direction = json_str(vote, "direction");
    struct agent *agent = &votes->agents[names_index(&votes->names, name, &fresh)];
    if (fresh) {
        *agent = (struct agent){.least = INFINITY, .most = -INFINITY, .weight = -INFINITY};
        str_cut(name, agent->name, sizeof(agent->name));
    }
    agent->votes++;
    agent->longs += str_equal(direction, STR_LIT("long"));
    agent->shorts += str_equal(direction, STR_LIT("short"));
    agent->weight = fmax(agent->weight, json_double(vote, "weight", -INFINITY));
    if (json_is_number(json_get(vote, "confidence"))) {
        double confidence = json_double(vote, "confidence", 0);
        agent->confident++;
        agent->sum += confidence;
        agent->least = fmin(agent->least, confidence);
        agent->most = fmax(agent->most, confidence);
    }
}

static void take(struct db_args *args, void *userdata)
{
    struct votes *votes = userdata;
    AUTO_JSON struct json_object *all = NULL;
    if (votes->rc == 0) {
        votes->rc = json_parse(db_arg_text(args, 0), &JSON_LIMITS_DEFAULT, &all, &votes->err);
    }
    for (size_t i = 0; i < json_len(all); i++) {
        take_vote(votes, json_item(all, i));
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct agent *)a)->name, ((const struct agent *)b)->name);
}

static void add_agent(struct json_out *out, const struct agent *agent)
{
    json_out_object(out, agent->name);
    json_out_i64(out, "votes", agent->votes);
    json_out_i64(out, "long", agent->longs);
    json_out_i64(out, "short", agent->shorts);
    /* Infinite, and so null, without a confidence or weight. */
    json_out_rounded(out, "average_confidence",
                     agent->confident > 0 ? agent->sum / (double)agent->confident : INFINITY, 6);
    json_out_rounded(out, "least_confidence", agent->least, 6);
    json_out_rounded(out, "most_confidence", agent->most, 6);
    json_out_rounded(out, "largest_weight", agent->weight, 6);
    json_out_end(out);
}

/* Every n-th decision of the period by its id, the newest first. */
#define VOTES_SQL                                                                      \
    "WITH RECURSIVE step(n) AS (SELECT max(1, fact('/decisions/count') / 120)),"       \
    " since(id) AS (SELECT min(id) FROM (SELECT id FROM decisions"                     \
    " WHERE at_us >= fact('since_us') ORDER BY at_us LIMIT 100)),"                     \
    " pick(id) AS (SELECT max(id) / n * n FROM decisions, step UNION ALL"              \
    " SELECT pick.id - n FROM pick, step, since WHERE pick.id - n >= since.id)"        \
    " SELECT each(votes) FROM (SELECT votes FROM pick CROSS JOIN decisions USING (id)" \
    " WHERE at_us >= fact('since_us') LIMIT 240)"

int votes_add(struct source *source, struct json_out *out, struct err *err)
{
    struct votes *votes = calloc(1, sizeof(*votes));
    NEED_MEMORY(votes != NULL);
    votes->names.max = AGENTS_MAX;
    int rc = db_each(source->trading, VOTES_SQL, DB_NO_VALUES, take, votes, err);
    if (rc == 0 && votes->rc < 0) {
        rc = votes->rc;
        *err = votes->err;
    }
    qsort(votes->agents, (size_t)votes->names.count, sizeof(votes->agents[0]), by_name);
    json_out_object(out, "agents");
    for (int i = 0; i < votes->names.count && rc == 0; i++) {
        add_agent(out, &votes->agents[i]);
    }
    json_out_end(out);
    free(votes);
    return rc;
}
