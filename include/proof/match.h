/*
 * match.h: whether a figure of a text is a value that the text cites.
 *
 *     if (match_is_direct(proof, prose, i)) …;                // "14 losses", "4 of 7"
 *
 * Thread: any.
 */
#pragma once

#include "proof/proof.h"
#include "proof/prose.h"

/* Whether the figure can be of this value, by unit and digits; a minus must be said, by a sign or
 * a word such as "lost". */
bool match_signed(const struct prose *p, int figure, const struct proof_value *value);
/* Whether a word of the figure's noun, or one of the two behind it, names what the value counts:
 * "3 losses" is /win_loss/losses. */
bool match_is_named(const struct prose *p, int figure, const struct proof_value *value);
/* Whether a part of the key has the same stem as the word: "losses" and "losing". */
bool match_key_has(struct str key, struct str word);
/* Whether the word is a step of the value's pointer, has the stem of a part of one, or is the asset
 * of a row ("BTC" of "BTC-USD"). */
bool match_names(const struct proof_value *value, struct str word);
/* Whether the sentence has the row, by its whole name, or "trade 17" for "trade-17". */
bool match_mentions(struct str sentence, struct str row);
/* "5 percentage points", "5 points": a change or a distance, and no level. */
bool match_is_in_points(const struct prose *p, int i);
/* Whether the figure is a part of the one behind it: "4 of 7", "4 of at most 7". */
bool match_is_part(const struct prose *p, int figure);
/* Whether the one behind it is the most that it may be: "4 of at most 7". */
bool match_is_limited(const struct prose *p, int figure);

/* Whether the figure is a cited value. A named count must be that count, "4 of 7" needs two values,
 * and a sentence about one row of a table ("BTC-USD") cannot state a figure of another row. */
bool match_is_direct(const struct proof *proof, const struct prose *p, int figure);
/* "half", "two thirds": a percentage, or a part of the same rate. */
bool match_is_share(const struct proof *proof, const struct prose_figure *figure);
/* "all trades", "always": a share of all or of nothing, a zero, or one count twice. */
bool match_is_whole(const struct proof *proof);
/* Whether a date or an hour of a text is that of the ISO time, as far as it is written. */
bool match_is_time(struct str iso, const struct prose_figure *figure);
