/*
 * record_values.h: how values of the model are packed into a journal, for its start, its steps and
 * the digests of their outputs. See record.h.
 * Thread: as record.h.
 */
#pragma once

#include "record.h"

void record_now_pack(struct pack *p, struct engine_now *now, const struct engine_now *before);
void record_symbols_pack(struct pack *p, int *count, struct symbol symbols[SYMBOLS_LIMIT]);
void record_settings_pack(struct pack *p, struct settings *s);
void record_whole_order_pack(struct pack *p, struct order *o);
void record_fill_id_pack(struct pack *p, char id[FILL_ID_SIZE]);
void record_fill_pack(struct pack *p, struct fill *f);
void record_trade_pack(struct pack *p, struct trade *t);
void record_state_pack(struct pack *p, struct engine_state *s);
void record_rules_pack(struct pack *p, struct rule_book *book);
bool record_settings_are_sane(const struct settings *s);
