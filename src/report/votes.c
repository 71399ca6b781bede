#include "votes.h"

#include "base/check.h"
#include "model/decision.h"
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
};

/* The columns of a vote in VOTES_SQL. */
enum column { AGENT, DIRECTION, CONFIDENCE, WEIGHT, COLUMNS };

static void take_vote(struct votes *votes, struct db_args *args, int first)
{
    bool fresh = false;
    struct str name = db_arg_text(args, first + AGENT);
    struct str direction = db_arg_text(args, first + DIRECTION);
    struct agent *agent = &votes->agents[names_index(&votes->names, name, &fresh)];
    if (fresh) {
        *agent = (struct agent){.least = INFINITY, .most = -INFINITY, .weight = -INFINITY};
        str_cut(name, agent->name, sizeof(agent->name));
    }
    agent->votes++;
    agent->longs += str_equal(direction, STR_LIT("long"));
    agent->shorts += str_equal(direction, STR_LIT("short"));
    if (!db_arg_is_null(args, first + WEIGHT)) {
        agent->weight = fmax(agent->weight, db_arg_double(args, first + WEIGHT));
    }
    if (!db_arg_is_null(args, first + CONFIDENCE)) {
        double confidence = db_arg_double(args, first + CONFIDENCE);
        agent->confident++;
        agent->sum += confidence;
        agent->least = fmin(agent->least, confidence);
        agent->most = fmax(agent->most, confidence);
    }
}

static void take(struct db_args *args, void *userdata)
{
    for (int i = 0; i < VOTES_MAX; i++) {
        if (!db_arg_is_null(args, COLUMNS * i + AGENT)) {
            take_vote(userdata, args, COLUMNS * i);
        }
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

#define FIELD(i, name) "json_extract(votes, '$[" #i "]." name "')"
#define VOTE(i) \
    FIELD(i, "agent") "," FIELD(i, "direction") "," FIELD(i, "confidence") "," FIELD(i, "weight")
#define FOUR(a, b, c, d) VOTE(a) "," VOTE(b) "," VOTE(c) "," VOTE(d)
_Static_assert(VOTES_MAX == 8, "VOTES_SQL reads as many");

/* Every n-th decision of the period by its id, the newest first. SQLite parses the votes of a
 * decision once, and makes nothing of their reasons. */
#define VOTES_SQL                                                                \
    "WITH RECURSIVE step(n) AS (SELECT max(1, fact('/decisions/count') / 120))," \
    " since(id) AS (SELECT min(id) FROM (SELECT id FROM decisions"               \
    " WHERE at_us >= fact('since_us') ORDER BY at_us LIMIT 100)),"               \
    " pick(id) AS (SELECT max(id) / n * n FROM decisions, step UNION ALL"        \
    " SELECT pick.id - n FROM pick, step, since WHERE pick.id - n >= since.id)," \
    " read(votes) AS (SELECT votes FROM pick CROSS JOIN decisions USING (id)"    \
    " WHERE at_us >= fact('since_us') LIMIT 240)"                                \
    " SELECT each(" FOUR(0, 1, 2, 3) "," FOUR(4, 5, 6, 7) ") FROM read"

int votes_add(struct source *source, struct json_out *out, struct err *err)
{
    struct votes *votes = calloc(1, sizeof(*votes));
    NEED_MEMORY(votes != NULL);
    votes->names.max = AGENTS_MAX;
    int rc = db_each(source->trading, VOTES_SQL, DB_NO_VALUES, take, votes, err);
    qsort(votes->agents, (size_t)votes->names.count, sizeof(votes->agents[0]), by_name);
    json_out_object(out, "agents");
    for (int i = 0; i < votes->names.count && rc == 0; i++) {
        add_agent(out, &votes->agents[i]);
    }
    json_out_end(out);
    free(votes);
    return rc;
}
