/*
 * facts.h: every value of some JSON documents, each with a pointer of names: those of keys, of the
 * rows of tables and of columns. Private to this module.
 *
 *     struct facts *facts = facts_new();
 *     facts_add(facts, "trading.measure", document);
 *     for (int i = 0; i < facts->count; i++) use(&facts->items[i]);
 *     facts_free(facts);
 *
 * A row is named by its member symbol, name, service, agent or code, a row of a reply's table by
 * its first cell, and any other one by its index: /positions/BTC-USD/qty. Numbers, cells of replies
 * (cell.h), lengths of arrays, and the figures in texts are values.
 * Thread: any, one at a time.
 */
#pragma once

#include "io/json.h"
#include "proof/proof.h"
#include "proof/prose.h"

#define FACTS_SOURCES_MAX 24
#define FACTS_ROWS_MAX    512
#define FACTS_NAME_SIZE   64

struct fact {
    struct proof_value value;
    int source;
    struct str text; /* of a figure in a text: the text; else empty */
    bool is_length;
};

/* A row of a table: the table's path, and the row's name. */
struct fact_row {
    char table[FINDING_POINTER_SIZE];
    char name[FACTS_NAME_SIZE];
};

struct facts {
    int source_count;
    char sources[FACTS_SOURCES_MAX][FACTS_NAME_SIZE];
    int count;
    int capacity;
    struct fact *items;
    int row_count;
    struct fact_row rows[FACTS_ROWS_MAX];
    char *texts[FACTS_SOURCES_MAX]; /* of sources that are texts; else NULL */
    struct proof_names names;
    struct buf times;    /* texts that are times, one a line */
    struct prose *prose; /* scratch */
};

struct facts *facts_new(void);
void facts_free(struct facts *facts);
/* The document must outlive the facts. At most FACTS_SOURCES_MAX: more are not read. */
void facts_add(struct facts *facts, const char *source, struct json_object *document);
/* A text, which is copied. */
void facts_add_text(struct facts *facts, const char *source, struct str text);
