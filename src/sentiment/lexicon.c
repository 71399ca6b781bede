#include "lexicon.h"

#include "base/check.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define NEGATED_WORDS 3 /* after a negation */
#define HALF          2 /* a sum of this is the score 0.5 */
#define WORD_MAX      24

/* By weight; each text has words with a space on both sides. Forms are written out: a stem such as
 * "fall" would also find "fallback". */
static const struct {
    int weight;
    const char *words;
} lists[] = {
    {2, " soar soars soared soaring surge surges surged surging skyrocket skyrockets skyrocketed"
        " rally rallies rallied rallying record breakthrough bullish boom booms booming moon"
        " approved approves approval triumph "},
    {1, " gain gains gained gaining rise rises rose rising climb climbs climbed climbing jump jumps"
        " jumped up high highs higher grow grows grew growing growth profit profits profitable"
        " adopt adopts adopted adoption inflow inflows buy buys bought buying accumulate"
        " accumulates accumulated accumulation upgrade upgrades upgraded launch launches launched"
        " partner partners partnership support supports supported optimism optimistic confident"
        " confidence win wins won strong stronger strength rebound rebounds rebounded recover"
        " recovers recovered recovery outperform outperforms outperformed boost boosts boosted"
        " positive success successful milestone expand expands expanded expansion breakout"
        " bull bulls secure secures secured innovation "},
    {-1, " fall falls fell falling drop drops dropped dropping decline declines declined declining"
         " slip slips slipped slide slides slid down low lows lower loss losses lose loses lost"
         " weak weaker weakness sell sells sold selling selloff outflow outflows fear fears worry"
         " worries worried concern concerns concerned warn warns warned warning risk risks risky"
         " uncertainty volatile downgrade downgrades downgraded delay delays delayed reject rejects"
         " rejected rejection probe probes investigation investigates investigated lawsuit lawsuits"
         " sue sues sued fine fined fines penalty halt halts halted suspend suspends suspended"
         " outage outages bear bears negative pressure struggle struggles struggled layoffs"
         " inflation tariff tariffs dip dips dipped correction retreat retreats retreated"
         " restrict restricts restricted crackdown vulnerability stuck "},
    {-2,
     " crash crashes crashed crashing plunge plunges plunged plunging plummet plummets plummeted"
     " tumble tumbles tumbled collapse collapses collapsed hack hacks hacked hacker hackers"
     " exploit exploits exploited stolen theft scam scams fraud fraudulent bankrupt bankruptcy"
     " insolvent insolvency default defaults liquidated liquidation liquidations ban bans banned"
     " bearish panic capitulation recession war crisis ponzi indicted convicted arrested "},
};

static const char negations[] = " not no never without isn't wasn't won't doesn't didn't don't"
                                " denies denied despite fails failed hardly avoids avoided ";

static bool has(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += size) {
        if (at[-1] == ' ' && at[size] == ' ') {
            return true;
        }
    }
    return false;
}

static int weight_of(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (has(lists[i].words, word)) {
            return lists[i].weight;
        }
    }
    return 0;
}

/* The next word in small letters; an apostrophe, also the typographic one, is part of it. False at
 * the end. A longer word is cut, and then is in no list. */
static bool next_word(struct str *rest, char ret[WORD_MAX])
{
    static const char quote[] = "’";
    size_t len = 0, i = 0;
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        bool curly = rest->len - i >= 3 && memcmp(rest->ptr + i, quote, 3) == 0;
        if (isalpha((unsigned char)c) || c == '\'' || (curly && len > 0)) {
            if (len < WORD_MAX - 1) {
                ret[len++] = curly ? '\'' : (char)tolower((unsigned char)c);
            }
            i += curly ? 2 : 0;
        } else if (len > 0) {
            break;
        }
    }
    ret[len] = '\0';
    *rest = str_n(rest->ptr + i, rest->len - i);
    return len > 0;
}

double lexicon_score(struct str headline)
{
    char word[WORD_MAX];
    int sum = 0, negated = 0;
    while (next_word(&headline, word)) {
        if (has(negations, word)) {
            negated = NEGATED_WORDS;
            continue;
        }
        sum += negated > 0 ? -weight_of(word) : weight_of(word);
        negated -= negated > 0 ? 1 : 0;
    }
    return sum / (fabs((double)sum) + HALF);
}
