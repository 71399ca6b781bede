/* Questions that ask for a change: a command line for a person to start, or a refusal. */
#include "base/check.h"
#include "grammar_internal.h"

#include <stdio.h>
#include <string.h>

static void refuse(struct grammar_reading *ret, const char *message)
{
    ret->kind = GRAMMAR_REFUSED;
    (void)str_copy(str_c(message), ret->message, sizeof(ret->message));
}

static void propose(struct grammar_reading *ret, const char *command, const char *argument)
{
    ret->kind = GRAMMAR_PROPOSAL;
    (void)snprintf(ret->line, sizeof(ret->line), "/%s%s%s", command, argument[0] == '\0' ? "" : " ",
                   argument);
}

/* One that is open: which service, which symbol. */
static void ask(struct grammar_reading *ret, const char *message)
{
    ret->kind = GRAMMAR_CLARIFY;
    (void)str_copy(str_c(message), ret->message, sizeof(ret->message));
}

static void ask_service(const struct lexemes *l, const char *verb, struct grammar_reading *ret)
{
    char question[GRAMMAR_CHOICE_SIZE];
    ask(ret, "Which service?");
    for (size_t i = 0; i < l->context->service_count; i++) {
        (void)snprintf(question, sizeof(question), "%s %s", verb, l->context->services[i]);
        grammar_choice(ret, l->context->services[i], question);
    }
}

static void ask_symbol(const struct lexemes *l, const char *verb, struct grammar_reading *ret)
{
    char question[GRAMMAR_CHOICE_SIZE];
    bool unclear = l->unclear_count > 1;
    size_t count = unclear ? (size_t)l->unclear_count : l->context->symbol_count;
    const struct symbol *symbols = unclear ? l->unclear_symbols : l->context->symbols;
    ask(ret, "Which symbol?");
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(question, sizeof(question), "%s %.15s", verb, symbols[i].name);
        grammar_choice(ret, symbols[i].name, question);
    }
}

/* Fills symbol with the one that is named, once. False: none, or it can be several. */
static bool take_symbol(struct lexemes *l, const char **ret_symbol)
{
    int64_t index = 0;
    if (l->unclear_count > 1 || !lexemes_take(l, LEX_SYMBOL, &index)) {
        return false;
    }
    *ret_symbol = l->context->symbols[index].name;
    return true;
}

static bool take_service(struct lexemes *l, const char **ret_service)
{
    int64_t index = 0;
    if (!lexemes_take(l, LEX_SERVICE, &index)) {
        return false;
    }
    *ret_service = l->context->services[index];
    return true;
}

static bool take_object(struct lexemes *l, enum object object)
{
    for (int i = 0; i < l->count; i++) {
        if (!l->items[i].used && l->items[i].lex == LEX_OBJECT &&
            l->items[i].value == (int64_t)object) {
            l->items[i].used = true;
            return true;
        }
    }
    return false;
}

/* Takes words of other meanings that only name what the command is about: "positions". */
static bool take_show(struct lexemes *l, enum show show)
{
    for (int i = 0; i < l->count; i++) {
        if (!l->items[i].used && l->items[i].lex == LEX_SHOW &&
            l->items[i].value == (int64_t)show) {
            l->items[i].used = true;
            return true;
        }
    }
    return false;
}

static bool take_measure(struct lexemes *l, enum measure measure)
{
    for (int i = 0; i < l->count; i++) {
        if (!l->items[i].used && l->items[i].lex == LEX_MEASURE &&
            l->items[i].value == (int64_t)measure) {
            l->items[i].used = true;
            return true;
        }
    }
    return false;
}

/* "for 2 hours" as a duration of a command; "" without one. */
static void take_duration(struct lexemes *l, char ret[16])
{
    static const char *const units[] = {"m", "h", "d"};
    ret[0] = '\0';
    for (int i = 0; i + 1 < l->count; i++) {
        const struct lexeme *number = &l->items[i], *unit = &l->items[i + 1];
        if (!number->used && number->lex == LEX_NUMBER && unit->lex == LEX_UNIT &&
            unit->value <= UNIT_DAY) {
            (void)snprintf(ret, 16, "%lld%s", (long long)number->value, units[unit->value]);
            l->items[i].used = true;
            l->items[i + 1].used = true;
            return;
        }
    }
}

static void close_it(struct lexemes *l, struct grammar_reading *ret)
{
    const char *symbol = NULL;
    bool all = take_object(l, OBJECT_ALL);
    bool positions = take_show(l, SHOW_POSITIONS);
    bool trades = lexemes_take(l, LEX_TRADES, NULL);
    int64_t side = 0;
    (void)lexemes_take(l, LEX_SIDE, &side);
    if (take_symbol(l, &symbol) && !all) {
        propose(ret, "close", symbol);
    } else if (all && symbol == NULL && side == 0) {
        propose(ret, "close", "all");
    } else if (symbol == NULL && side == 0) {
        (void)positions;
        (void)trades;
        ask_symbol(l, "close", ret);
        grammar_choice(ret, "all", "close all positions");
    } else {
        ret->kind = GRAMMAR_UNKNOWN;
    }
}

static void mute(struct lexemes *l, struct grammar_reading *ret)
{
    char what[GRAMMAR_CHOICE_SIZE], duration[16];
    const char *symbol = NULL;
    int64_t number = 0;
    take_duration(l, duration);
    bool alerts = take_object(l, OBJECT_ALERTS) || take_measure(l, MEASURE_ALERTS) ||
                  take_object(l, OBJECT_ALL);
    if (lexemes_take(l, LEX_NUMBER, &number)) {
        (void)snprintf(what, sizeof(what), "%lld%s%s", (long long)number,
                       duration[0] == '\0' ? "" : " ", duration);
    } else if (take_symbol(l, &symbol) || alerts) {
        (void)snprintf(what, sizeof(what), "%s%s%s", symbol != NULL ? symbol : "all",
                       duration[0] == '\0' ? "" : " ", duration);
    } else {
        ask(ret, "Mute what?");
        grammar_choice(ret, "all alerts, 1 h", "mute all alerts for 1 hour");
        grammar_choice(ret, "all alerts, 8 h", "mute all alerts for 8 hours");
        return;
    }
    propose(ret, "mute", what);
}

static void acknowledge(struct lexemes *l, struct grammar_reading *ret)
{
    char number_text[32];
    int64_t number = 0;
    (void)take_measure(l, MEASURE_ALERTS);
    if (!lexemes_take(l, LEX_NUMBER, &number)) {
        ask(ret, "Which alert? Write its number, such as: acknowledge alert 3");
        grammar_choice(ret, "Open alerts", "open alerts");
        return;
    }
    (void)snprintf(number_text, sizeof(number_text), "%lld", (long long)number);
    propose(ret, "ack", number_text);
}

static void of_service(struct lexemes *l, const char *command, const char *verb,
                       struct grammar_reading *ret)
{
    const char *service = NULL;
    (void)take_show(l, SHOW_SERVICES);
    if (take_service(l, &service)) {
        propose(ret, command, service);
    } else {
        ask_service(l, verb, ret);
    }
}

static void switch_it(struct lexemes *l, bool on, struct grammar_reading *ret)
{
    const char *word = on ? "on" : "off";
    if (take_object(l, OBJECT_MAINTENANCE)) {
        propose(ret, "maintenance", word);
    } else if (take_object(l, OBJECT_AUTOFIX)) {
        propose(ret, "autofix", word);
    } else if (take_object(l, OBJECT_TRADING) || take_object(l, OBJECT_ENTRIES)) {
        propose(ret, on ? "resume" : "pause", "");
    } else {
        ret->kind = GRAMMAR_UNKNOWN;
    }
}

static void change(struct lexemes *l, enum change what, struct grammar_reading *ret)
{
    const char *symbol = NULL;
    bool entries = false;
    switch (what) {
    case CHANGE_PAUSE:
    case CHANGE_STOP:
        entries = take_object(l, OBJECT_TRADING) || take_object(l, OBJECT_ENTRIES);
        if (!entries && take_object(l, OBJECT_MAINTENANCE)) {
            propose(ret, "maintenance", "off");
        } else if (what == CHANGE_STOP && take_object(l, OBJECT_ALL)) {
            propose(ret, "emergency_stop", "");
        } else {
            propose(ret, "pause", "");
        }
        break;
    case CHANGE_RESUME:
    case CHANGE_START:
        (void)(take_object(l, OBJECT_TRADING) || take_object(l, OBJECT_ENTRIES));
        if (take_object(l, OBJECT_MAINTENANCE)) {
            propose(ret, "maintenance", "on");
        } else if (lexemes_find(l, LEX_SERVICE) != NULL) {
            of_service(l, "restart", "restart", ret);
        } else {
            propose(ret, "resume", "");
        }
        break;
    case CHANGE_CLOSE:
        close_it(l, ret);
        break;
    case CHANGE_EMERGENCY:
        (void)(take_object(l, OBJECT_ALL) || take_object(l, OBJECT_TRADING));
        propose(ret, "emergency_stop", "");
        break;
    case CHANGE_CANCEL:
        if (!take_show(l, SHOW_ORDERS) && !take_object(l, OBJECT_ORDERS)) {
            ret->kind = GRAMMAR_UNKNOWN;
            break;
        }
        (void)take_object(l, OBJECT_ALL);
        propose(ret, "cancel_orders", take_symbol(l, &symbol) ? symbol : "all");
        break;
    case CHANGE_RESTART:
        of_service(l, "restart", "restart", ret);
        break;
    case CHANGE_RELOAD:
        (void)take_object(l, OBJECT_CONFIG);
        propose(ret, "reload", "");
        break;
    case CHANGE_ACK:
        acknowledge(l, ret);
        break;
    case CHANGE_MUTE:
        mute(l, ret);
        break;
    case CHANGE_UNMUTE:
        (void)(take_object(l, OBJECT_ALERTS) || take_measure(l, MEASURE_ALERTS) ||
               take_object(l, OBJECT_ALL));
        propose(ret, "unmute", take_symbol(l, &symbol) ? symbol : "all");
        break;
    case CHANGE_AUDIT:
        propose(ret, "audit", "");
        break;
    case CHANGE_BACKUP:
        propose(ret, "backup", "");
        break;
    case CHANGE_DEPLOY:
        of_service(l, "deploy", "deploy", ret);
        break;
    case CHANGE_ROLLBACK:
        of_service(l, "rollback", "roll back", ret);
        break;
    case CHANGE_ON:
        switch_it(l, true, ret);
        break;
    case CHANGE_OFF:
        switch_it(l, false, ret);
        break;
    }
}

/* The first lexeme that is not skipped; NULL: none. "Can you" and "could you" are polite. */
static struct lexeme *first_of(struct lexemes *l)
{
    for (int i = 0; i < l->count; i++) {
        bool polite = l->items[i].lex == LEX_ASK &&
                      (strcmp(l->words.items[l->items[i].first].text, "can") == 0 ||
                       strcmp(l->words.items[l->items[i].first].text, "could") == 0 ||
                       strcmp(l->words.items[l->items[i].first].text, "would") == 0 ||
                       strcmp(l->words.items[l->items[i].first].text, "will") == 0);
        if (l->items[i].lex != LEX_SKIP && !polite) {
            return &l->items[i];
        }
    }
    return NULL;
}

static bool is_trade(const struct lexemes *l, const struct lexeme *first)
{
    bool verb = first->lex == LEX_SHOW && first->value == SHOW_WHY;
    /* "short BTC", "long ETH" as orders; "short trades" and "shorts" are not. */
    const char *word = l->words.items[first->first].text;
    bool side = first->lex == LEX_SIDE && first->first == first->last &&
                (strcmp(word, "short") == 0 || strcmp(word, "long") == 0) &&
                first + 1 < l->items + l->count &&
                ((first + 1)->lex == LEX_SYMBOL || (first + 1)->lex == LEX_NUMBER);
    return first->lex == LEX_TRADE || verb || side;
}

/* "should we buy": advice on trades. */
static bool is_advice(const struct lexemes *l)
{
    static const char *const words[] = {"should", "shall", "worth", "recommend", "advise"};
    bool asks = false, trades = false;
    for (int i = 0; i < l->words.count; i++) {
        for (size_t k = 0; k < COUNT_OF(words); k++) {
            asks |= strcmp(l->words.items[i].text, words[k]) == 0;
        }
    }
    for (int i = 0; i < l->count; i++) {
        trades |= l->items[i].lex == LEX_TRADE ||
                  (l->items[i].lex == LEX_SHOW && l->items[i].value == SHOW_WHY);
    }
    return asks && trades;
}

bool grammar_change(struct lexemes *l, struct grammar_reading *ret)
{
    struct lexeme *first = first_of(l);
    if (first == NULL) {
        return false;
    }
    if (is_advice(l)) {
        refuse(ret, "nightdesk gives no advice on trades. Ask what it did and why.");
        return true;
    }
    if (is_trade(l, first)) {
        refuse(ret, "nightdesk does not place trades from free text.");
        return true;
    }
    if (first->lex != LEX_CHANGE) {
        return false;
    }
    first->used = true;
    change(l, (enum change)first->value, ret);
    AUTO_BUF struct buf left = BUF_INIT(GRAMMAR_TEXT_SIZE);
    AUTO_BUF struct buf mended = BUF_INIT(160);
    lexemes_mended(l, &mended);
    if (ret->kind == GRAMMAR_PROPOSAL && mended.len > 0) {
        (void)snprintf(ret->understood, sizeof(ret->understood), "read %s", mended.data);
    }
    if (ret->kind == GRAMMAR_PROPOSAL && lexemes_left(l, &left) > 0) {
        /* "close SOL in two hours" is not "close SOL". */
        ret->kind = GRAMMAR_UNKNOWN;
        ret->line[0] = '\0';
        ret->understood[0] = '\0';
    }
    return ret->kind != GRAMMAR_UNKNOWN;
}
