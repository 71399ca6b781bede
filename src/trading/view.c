#include "view.h"

void view_bracket(struct reply *r, const struct symbol *symbol, struct dec stop, struct dec target)
{
    if (dec_is_valid(stop) && stop.e8 > 0) {
        reply_more(r, "  SL {}", cell_price(stop, symbol->name));
    }
    if (dec_is_valid(target) && target.e8 > 0) {
        reply_more(r, " TP {}", cell_price(target, symbol->name));
    }
}

void view_legs(struct reply *r, const struct snapshot_legs *legs)
{
    if (legs->stop_at_venue && legs->target_at_venue) {
        reply_line(r, "  Stop and target rest at the venue.");
    } else if (legs->stop_at_venue) {
        reply_para(r, "  Stop rests at the venue, target is kept by nightdesk: {}.",
                   cell_text(legs->reason));
    } else {
        reply_para(r, "  Stop is kept by nightdesk: {}.", cell_text(legs->reason));
    }
}

void view_position(struct reply *r, const struct position *p)
{
    const char *symbol = p->symbol.name;
    struct dec cost = dec_mul(p->qty, p->entry_price);
    reply_para(r, "{} {} {} @ {}\n  {} ({})\n  SL {}  TP {}", cell_symbol(symbol),
               cell_text(side_name(p->side)), cell_qty(p->qty, symbol),
               cell_price(p->entry_price, symbol), cell_money_signed(p->unrealised),
               cell_pct_signed(cell_ratio_pct(p->unrealised, cost), 1), cell_price(p->stop, symbol),
               cell_price(p->target, symbol));
}

void view_exit(struct reply *r, const struct position *p)
{
    const char *symbol = p->symbol.name;
    struct dec cost = dec_mul(p->qty, p->entry_price);
    reply_para(r, "{} {} {} @ {}\n  now {}, value {}\n  {} ({})", cell_symbol(symbol),
               cell_text(side_name(p->side)), cell_qty(p->qty, symbol),
               cell_price(p->entry_price, symbol), cell_price(p->mark_price, symbol),
               cell_money(dec_mul(p->qty, p->mark_price)), cell_money_signed(p->unrealised),
               cell_pct_signed(cell_ratio_pct(p->unrealised, cost), 1));
}

void view_foreign(struct reply *r, const struct snapshot_foreign *f)
{
    reply_para(r, "⚠ {} {} {} @ {}, not opened by the bot", cell_symbol(f->symbol.name),
               cell_text(side_name(f->side)), cell_qty(f->qty, f->symbol.name),
               cell_price(f->entry_price, f->symbol.name));
}

void view_order(struct reply *r, const struct order *o)
{
    const char *symbol = o->symbol.name;
    reply_para(r, "{} {} {} {} {}, {}", cell_code(o->client_id),
               cell_text(order_kind_name(o->kind)), cell_symbol(symbol),
               cell_text(side_name(o->side)), cell_qty(o->qty, symbol),
               cell_text(order_state_name(o->state)));
    if (o->state != ORDER_FILLED && o->filled_qty.e8 > 0) {
        reply_more(r, ", {} filled", cell_qty(o->filled_qty, symbol));
    }
    if (o->filled_qty.e8 > 0) {
        reply_more(r, " @ {}", cell_price(o->average_price, symbol));
    }
    if (o->reason[0] != '\0') {
        reply_more(r, " ({})", cell_text(o->reason));
    }
}

void view_button(struct reply *r, int index, const char *text, const char *command)
{
    if (index > 0 && index % 3 == 0) {
        reply_button_row(r);
    }
    reply_button(r, text, command, BUTTON_PLAIN);
}
