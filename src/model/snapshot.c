#include "model/snapshot.h"

#include "base/check.h"
#include "names.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_words[] = {
    [TRADING_STARTING] = "starting",   [TRADING_ACTIVE] = "active",
    [TRADING_PAUSED] = "paused",       [TRADING_BREAKER] = "breaker",
    [TRADING_EMERGENCY] = "emergency", [TRADING_MAINTENANCE] = "maintenance",
};

static const char *const risk_words[] = {
    [RISK_ACTIVE] = "active", [RISK_REDUCING] = "reducing", [RISK_HALTED] = "halted"};

static const char *const disk_words[] = {
    [DISK_OK] = "ok", [DISK_SLOW] = "slow", [DISK_FAILED] = "failed"};

NAMES_PRINT(disk_state, enum disk_state, disk_words)
NAMES_PRINT(risk_state, enum risk_state, risk_words)
NAMES_PRINT(trading_state, enum trading_state, state_words)
NAMES_PARSE(trading_state, enum trading_state, state_words)

/* The rows of each kind behind a snapshot. */
struct room {
    int symbols;
    int positions;
    int foreign;
};

_Static_assert(sizeof(struct snapshot) % _Alignof(struct snapshot_market) == 0 &&
                   sizeof(struct snapshot_market) % _Alignof(struct snapshot_symbol) == 0 &&
                   sizeof(struct snapshot_symbol) % _Alignof(struct position) == 0 &&
                   sizeof(struct position) % _Alignof(struct snapshot_foreign) == 0,
               "rows of one kind end where those of the next may begin");

static size_t size_of(struct room room)
{
    return sizeof(struct snapshot) +
           (size_t)room.symbols *
               (sizeof(struct snapshot_market) + sizeof(struct snapshot_symbol)) +
           (size_t)room.positions * (sizeof(struct position) + sizeof(struct snapshot_legs)) +
           (size_t)room.foreign * sizeof(struct snapshot_foreign);
}

/* Points into the block behind s. */
static void lay_out(struct snapshot *s, struct room room)
{
    s->markets = (struct snapshot_market *)(void *)(s + 1);
    s->risk.symbols = (struct snapshot_symbol *)(void *)(s->markets + room.symbols);
    s->positions = (struct position *)(void *)(s->risk.symbols + room.symbols);
    s->foreign = (struct snapshot_foreign *)(void *)(s->positions + room.positions);
    s->legs = (struct snapshot_legs *)(void *)(s->foreign + room.foreign);
}

static struct room room_for(int symbols)
{
    ASSERT(symbols >= 1 && symbols <= SYMBOLS_LIMIT);
    int positions = capacity_positions(symbols);
    return (struct room){symbols, positions, positions};
}

size_t snapshot_size(int symbols)
{
    return size_of(room_for(symbols));
}

struct snapshot *snapshot_new(int symbols)
{
    struct room room = room_for(symbols);
    struct snapshot *s = calloc(1, size_of(room));
    ASSERT(s != NULL);
    lay_out(s, room);
    return s;
}

static void copy_rows(void *ret, const void *rows, int count, size_t size)
{
    if (count > 0) {
        memcpy(ret, rows, (size_t)count * size);
    }
}

void snapshot_copy(struct snapshot *ret, int symbols, const struct snapshot *s)
{
    struct room used = {
        .symbols = s->market_count > s->risk.symbol_count ? s->market_count : s->risk.symbol_count,
        .positions = s->position_count,
        .foreign = s->foreign_count,
    };
    ASSERT(size_of(used) <= snapshot_size(symbols));
    *ret = *s;
    lay_out(ret, used);
    copy_rows(ret->markets, s->markets, s->market_count, sizeof(*s->markets));
    copy_rows(ret->risk.symbols, s->risk.symbols, s->risk.symbol_count, sizeof(*s->risk.symbols));
    copy_rows(ret->positions, s->positions, s->position_count, sizeof(*s->positions));
    copy_rows(ret->legs, s->legs, s->position_count, sizeof(*s->legs));
    copy_rows(ret->foreign, s->foreign, s->foreign_count, sizeof(*s->foreign));
}
