"""Alpaca: stocks with hours, crypto without; REST, the stream of the account in binary frames, and data.

https://docs.alpaca.markets
"""

import hashlib
import json
import re
import uuid
from datetime import datetime, timedelta, timezone
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from alpaca_streams import Streams, from_iso, iso
from matching import ZERO, Matching, Order, Refusal
from server import Answer
from venue import Refused, Route, Venue, decimal, pairs_of, short

KEY = "PKNIGHTDESKTESTKEY00"
SECRET = "NightdeskTestSecretOfAlpaca0000000000000"
STATES = {
    "new": "new", "partial": "partially_filled", "filled": "filled", "cancelled": "canceled", "expired": "expired",
    "rejected": "rejected", "replaced": "replaced", "waiting": "pending_new",
}
STOCKS = ("AAPL", "SPY")
FIELDS = (
    "qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent", "extended_hours", "client_order_id",
    "order_class", "take_profit", "stop_loss", "position_intent", "legs",
)


CENT = Decimal("0.01")


class Broker(Matching):
    """Stocks fill only while their market is open. Fees are in no fill: coins that are bought come without
    theirs, the others add up and are charged at the end of the day, to the cent above."""

    cost_step = Decimal("0.00000001")
    fee_step = Decimal("0.000000001")
    sibling_ends = "cancelled"

    def __init__(self, clock, emit):
        super().__init__(clock, emit)
        self.maker_rate = self.taker_rate = Decimal("0.0025")
        self.share_rate = Decimal("0.000195")  # of each share that is sold
        self.accrued = {}  # (kind, market): amount
        self.entries = {}
        self.session = "open"  # or extended, closed

    def trades(self, market):
        return self.session != "closed" or market.base not in STOCKS

    def takes_part(self, order):
        """In extended hours only limits that ask for it."""
        return self.session == "open" or order.market.base not in STOCKS or (
            self.session == "extended" and order.venue.get("extended", False))

    def reached(self, order):
        return self.takes_part(order) and super().reached(order)

    def passed(self, order):
        return self.takes_part(order) and super().passed(order)

    def work(self, order, maker):
        if self.takes_part(order):
            super().work(order, maker)

    def check_funds(self, order):
        super().check_funds(order)
        for other in self.open_orders(order.market):
            if other.buys != order.buys and other.limited and (
                order.kind == "market" or order.limited and (order.price >= other.price) == order.buys
            ) and other not in order.siblings:
                raise Refusal("wash", other)

    def settle(self, order, made):
        amount = ZERO if order.buys else made.qty * self.share_rate
        if order.market.base not in STOCKS:
            amount = made.fee
        if amount:
            kind = "FEE" if order.market.base in STOCKS else "CFEE coins" if order.buys else "CFEE"
            self.accrued[kind, order.market] = self.accrued.get((kind, order.market), ZERO) + amount
        if made.fee_currency == order.market.quote:
            made.fee = ZERO  # of this fill; it is accrued
        held, cost = self.entries.get(order.market, (ZERO, ZERO))
        if order.buys:
            self.entries[order.market] = (held + made.qty, cost + made.cost)
        else:
            left = max(ZERO, held - made.qty)
            self.entries[order.market] = (left, cost * left / held if held else ZERO)
        super().settle(order, made)

    def fee(self, order, qty, price, maker):
        if order.market.base in STOCKS:
            return ZERO, order.market.quote
        return super().fee(order, qty, price, maker)


class Alpaca(Streams, Venue):
    name = "alpaca"
    matching = Broker
    markets = (
        ("AAPL-USD", "200", "0.01", "0.000000001", "0.000000001", "1"),
        ("SPY-USD", "600", "0.01", "0.000000001", "0.000000001", "1"),
        ("BTC-USD", "60000", "0.01", "0.000000001", "0.000000001", "1"),
        ("ETH-USD", "3000", "0.01", "0.000000001", "0.000000001", "1"),
    )
    coins = (("USD", "10000"),)
    ping_every, pong_within, stream_age = 10.0, 20.0, 10.0**9

    def __init__(self, seed, clock):
        super().__init__(seed, clock)
        self.session = "open"
        self.zone = self.noon()
        self.closing = None
        self.limit = 200
        self.window = (0, 0)
        self.keys_reset = False
        self.stuck = 0
        self.replaces_after = 0.1
        self.replace_refused = 0
        self.names = {}
        self.halts = {}
        self.early, self.holidays = set(), set()
        self.whole_extended = set()
        self.charges = []
        for market in self.book.markets.values():
            stock = market.base in STOCKS
            market.shown = market.base if stock else f"{market.base}/{market.quote}"
            market.holding = market.base if stock else market.base + market.quote
            market.stock = stock
            self.names[market.shown] = self.names[market.holding] = market
        self.routes = self.make_routes()

    def id_of(self, text):
        return str(uuid.UUID(bytes=hashlib.sha256(f"{self.seed} {text}".encode()).digest()[:16], version=4))

    def order_id(self, order):
        return self.id_of(f"order {order.id}")

    def make_routes(self):
        bars = (("symbols", "timeframe"), ("start", "end", "limit", "page_token", "feed", "adjustment", "sort", "asof",
                                           "currency"))
        listing = ("status", "limit", "after", "until", "direction", "nested", "symbols", "side", "asset_class",
                   "before_order_id", "after_order_id")
        fills = ("after", "until", "date", "direction", "page_size", "page_token")
        rows = [
            ("GET", "/v2/clock", Route("time", self.get_clock)),
            ("GET", "/v2/calendar", Route("time", self.get_calendar, 1, (), ("start", "end", "date_type"))),
            ("GET", "/v2/assets", Route("rules", self.get_assets, 1, (), ("status", "asset_class", "exchange", "attributes"))),
            ("GET", "/v2/assets/*", Route("rules", self.get_asset)),
            ("GET", "/v2/account", Route("coins", self.get_account)),
            ("GET", "/v2/positions", Route("positions", self.get_positions)),
            ("GET", "/v2/positions/*", Route("positions", self.get_position)),
            ("GET", "/v2/wallets/whitelists", Route("check", self.get_whitelists, 1, (), ("asset", "network"))),
            ("POST", "/v2/orders", Route("place", self.post_order, 1, ("symbol", "side", "type", "time_in_force"), FIELDS)),
            ("GET", "/v2/orders", Route("open", self.get_orders, 1, (), listing)),
            ("GET", "/v2/orders:by_client_order_id", Route("query", self.get_by_client, 1, ("client_order_id",), ("nested",))),
            ("GET", "/v2/orders/*", Route("query", self.get_order, 1, (), ("nested",))),
            ("DELETE", "/v2/orders/*", Route("cancel", self.delete_order)),
            ("DELETE", "/v2/orders", Route("cancel", self.delete_orders)),
            ("PATCH", "/v2/orders/*", Route(
                "amend", self.patch_order, 1, (), ("qty", "time_in_force", "limit_price", "stop_price", "trail",
                                                   "client_order_id"))),
            ("GET", "/v2/account/activities/FILL", Route("fills", self.get_fills, 1, (), fills)),
            ("GET", "/v2/account/activities", Route("fills", self.get_activities, 1, ("activity_types",), fills)),
            ("GET", "/v2/stocks/bars", Route("klines", self.get_bars, 0, *bars)),
            ("GET", "/v1beta3/crypto/us/bars", Route("klines", self.get_bars, 0, *bars)),
            ("GET", "/v2/stocks/quotes/latest", Route("ticker", self.get_quotes, 0, ("symbols",), ("feed", "currency"))),
            ("GET", "/v1beta3/crypto/us/latest/quotes", Route("ticker", self.get_quotes, 0, ("symbols",))),
            ("GET", "/v1beta3/crypto/us/latest/orderbooks", Route("book", self.get_books, 0, ("symbols",))),
        ]
        return [(method, re.compile(re.escape(path).replace(r"\*", "([^/]+)")), route) for method, path, route in rows]

    def route(self, request):
        for method, pattern, route in self.routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                request.names = [unquote(name) for name in match.groups()]
                return route
        return None

    # ---------------------------------------------------------------- answers

    def error(self, status, code, text, **more):
        return Answer(status, {"code": code, "message": text, **more})

    def refuse(self, status, code, text, violation=True, **more):
        return Refused(self.error(status, code, text, **more), text, violation)

    def wrong(self, text, violation=True):
        return self.refuse(422, 42210000, text, violation)

    def unknown_path(self):
        return self.error(404, 40410000, "endpoint not found")

    def failure(self, status, headers):
        if status == 429:
            answer = self.error(429, 42910000, "rate limit exceeded")
            answer.headers.update(headers)
            return answer
        if status == 401:
            return self.error(401, 40110000, "request is not authorized")
        if status in (403, 418):
            return self.error(403, 40310000, "forbidden.")
        return self.error(status, status * 100000 + 10000, "internal server error occurred")

    def unclear(self):
        return self.error(504, 50410000, "request timed out")

    # ---------------------------------------------------------------- requests

    def charge(self, weight):
        minute = int(self.clock.now() // 60)
        self.window = (minute, (self.window[1] if self.window[0] == minute else 0) + weight)
        headers = {"X-RateLimit-Limit": self.limit, "X-RateLimit-Remaining": max(0, self.limit - self.window[1]),
                   "X-RateLimit-Reset": (minute + 1) * 60}
        if self.window[1] > self.limit:
            raise Refused(self.failure(429, headers), "too many requests")
        return headers

    @staticmethod
    def knows(key, secret):
        return (key, secret) == (KEY, SECRET)

    def act(self, request, route):
        crypto_data = request.path.startswith("/v1beta3")
        given_keys = (request.header("apca-api-key-id"), request.header("apca-api-secret-key"))
        if not self.knows(*given_keys) and not (crypto_data and given_keys == (None, None)):
            raise self.refuse(401, 40110000, "request is not authorized")
        if self.keys_reset:
            raise self.refuse(401, 40110000, "request is not authorized", False)
        headers = self.charge(route.weight)
        given = self.read_query(request)
        if request.method in ("POST", "PATCH"):
            given = self.read_body(request, given)
        for name in given:
            if name not in route.needed and name not in route.optional:
                raise self.wrong(f"extra inputs are not permitted: {name}")
        for name in route.needed:
            if given.get(name) in (None, ""):
                raise self.wrong(f"{name} is required")
        if route.kind in ("place", "cancel", "amend") and not self.permissions["trade"]:
            raise self.refuse(403, 40310000, "account is restricted to liquidation only", False)
        answer = route.act(given, *request.names)
        answer.headers.update(headers)
        return answer

    def read_query(self, request):
        try:
            pairs = pairs_of(request.query)
        except ValueError as why:
            raise self.wrong(str(why)) from None
        if len(dict(pairs)) != len(pairs):
            raise self.wrong("a repeated parameter")
        return dict(pairs)

    def read_body(self, request, given):
        def once(rows):
            if len(dict(rows)) != len(rows):
                raise ValueError("a repeated member")
            return dict(rows)

        try:
            found = json.loads(request.body, object_pairs_hook=once, parse_float=Decimal)
            if given or not isinstance(found, dict):
                raise ValueError("no object")
            return found
        except ValueError as why:
            raise self.refuse(400, 40010000, f"request body format is invalid: {why}") from None

    def market(self, name, violation=True):
        market = self.names.get(name)
        if market is not None and market.status == "delisted":
            self.meet("delisted")
        if market is None or market.status == "delisted":
            raise self.refuse(422, 42210000, f'asset "{name}" not found', violation and market is None)
        return market

    def decimal(self, given, name):
        value = given.get(name)
        if value is None:
            return ZERO
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", value):
            raise self.wrong(f"{name} is no decimal as text: {value}")
        return decimal(value)

    def integer(self, given, name, usual, low, high):
        text = given.get(name, str(usual))
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise self.wrong(f"{name} must be between {low} and {high}")
        return int(text)

    def time(self, given, name, usual):
        try:
            return from_iso(given[name]) if name in given else usual
        except ValueError:
            raise self.wrong(f"{name} is no time") from None

    # ---------------------------------------------------------------- hours

    def noon(self):
        """The zone in which it is noon: a session that a test sets is the same at each time of the day."""
        hour = datetime.fromtimestamp(self.clock.now(), timezone.utc).hour
        return timezone(timedelta(hours=12 - hour))

    def local(self):
        return ZoneInfo("America/New_York") if self.session == "auto" else self.zone

    def day(self, date):
        """Minutes at which trading begins, opens, closes, ends; None: not on this day."""
        if self.session != "auto" and date == datetime.fromtimestamp(self.clock.now(), self.zone).date():
            return {"open": (240, 570, 960, 1200), "extended": (240, 1020, 1080, 1200),
                    "closed": (960, 1020, 1080, 1200)}[self.session]
        if date.weekday() > 4 or str(date) in self.holidays:
            return None
        return (240, 570, 780, 1020) if str(date) in self.early else (240, 570, 960, 1200)

    def hours(self, now):
        """(session, next open, next close)."""
        here = datetime.fromtimestamp(now, self.local())
        session, opens, closes = "closed", [], []
        for days in range(-1, 9):
            date = here.date() + timedelta(days=days)
            day = self.day(date)
            if day:
                times = [datetime(date.year, date.month, date.day, m // 60, m % 60, tzinfo=here.tzinfo) for m in day]
                if times[0] <= here < times[3]:
                    session = "open" if times[1] <= here < times[2] else "extended"
                opens.append(times[1])
                closes.append(times[2])
        next_open, next_close = (next(t for t in times if t > here) for times in (opens, closes))
        if self.closing and self.session == "open":
            next_close = datetime.fromtimestamp(self.closing, here.tzinfo)
        return session, next_open, next_close

    def session_now(self):
        return self.hours(self.clock.now())[0] if self.session == "auto" else self.session

    def get_clock(self, _):
        _, next_open, next_close = self.hours(self.clock.shown())
        here = datetime.fromtimestamp(self.clock.shown(), self.local())
        return Answer(200, {"timestamp": here.isoformat(), "is_open": self.session_now() == "open",
                            "next_open": next_open.isoformat(), "next_close": next_close.isoformat()})

    def get_calendar(self, given):
        today = datetime.fromtimestamp(self.clock.shown(), self.local()).date()
        try:
            first, last = (datetime.strptime(given[n], "%Y-%m-%d").date() if n in given else today + timedelta(days=d)
                           for n, d in (("start", 0), ("end", 30)))
        except ValueError:
            raise self.wrong("start or end is no day") from None
        rows = []
        for date in (first + timedelta(days=n) for n in range(min(400, (last - first).days + 1))):
            day = self.day(date)
            if day:
                begins, opens, closes, ends = (f"{m // 60:02d}:{m % 60:02d}" for m in day)
                rows.append({"date": str(date), "open": opens, "close": closes, "session_open": begins.replace(":", ""),
                             "session_close": ends.replace(":", ""), "settlement_date": str(date + timedelta(days=1))})
        return Answer(200, rows)

    def second(self):
        super().second()
        before, now = self.book.session, self.session_now()
        self.book.session = now
        if now != before:
            self.turn(before, now)
        self.tell_statuses()

    def turn(self, before, now):
        """Orders of the day end with it, and those that waited go to work."""
        for order in self.book.open_orders():
            of_day = order.market.stock and order.venue.get("tif") == "day"
            extended = order.venue.get("extended", False)
            if of_day and (before == "open" and not extended or now == "closed" and extended):
                self.book.finish(order, "expired")
            elif order.open and order.triggered:
                self.book.work(order, maker=False)

    def tell_statuses(self):
        """Halts of stocks, when they begin and end."""
        for market in self.book.markets.values():
            halted = market.status == "halted"
            if market.stock and halted != self.halts.get(market, False):
                self.halts[market] = halted
                self.to_public("statuses", market, {
                    "T": "s", "S": market.shown, "sc": "H" if halted else "T", "rc": "T12" if halted else "",
                    "sm": "Trading Halt" if halted else "Trading Resumption", "t": iso(self.clock.shown()), "z": "C",
                    "rm": "Additional Information Requested" if halted else ""})

    # ---------------------------------------------------------------- the account

    def asset(self, market):
        found = {
            "id": self.id_of(f"asset {market.shown}"), "class": "us_equity" if market.stock else "crypto",
            "exchange": "NASDAQ" if market.stock else "CRYPTO", "symbol": market.shown, "name": market.base,
            "status": "active" if market.status != "delisted" else "inactive", "tradable": market.status == "trading",
            "marginable": False, "maintenance_margin_requirement": 100, "margin_requirement_long": "100",
            "margin_requirement_short": "100", "shortable": False, "easy_to_borrow": False, "fractionable": True,
            "attributes": ["fractional_eh_enabled"] if market.stock and market.base not in self.whole_extended else [],
        }
        if not market.stock:
            found.update(min_order_size=short(market.minimum), min_trade_increment=short(market.step),
                         price_increment=short(market.tick))
        return found

    def get_assets(self, given):
        wanted = given.get("asset_class")
        return Answer(200, [self.asset(m) for m in self.book.markets.values()
                            if wanted in (None, "us_equity" if m.stock else "crypto")])

    def get_asset(self, _, name):
        if name not in self.names:
            raise self.refuse(404, 40410000, f"asset not found for {name}", False)
        return Answer(200, self.asset(self.names[name]))

    def get_account(self, _):
        cash, free = self.book.total("USD"), self.book.free("USD")
        worth = sum((self.book.total(m.base) * m.price for m in self.book.markets.values()), ZERO)
        return Answer(200, {
            "id": self.id_of("account"), "account_number": "PA3NIGHTDESK", "status": "ACTIVE", "crypto_status": "ACTIVE",
            "currency": "USD", "buying_power": short(free), "regt_buying_power": short(free),
            "non_marginable_buying_power": short(free), "cash": short(cash), "accrued_fees": short(self.accrued_usd()),
            "portfolio_value": short(cash + worth), "equity": short(cash + worth), "last_equity": short(cash + worth),
            "trading_blocked": False, "transfers_blocked": False, "account_blocked": False,
            "created_at": "2024-01-01T00:00:00Z", "trade_suspended_by_user": False, "multiplier": "1",
            "shorting_enabled": False, "long_market_value": short(worth), "short_market_value": "0",
            "initial_margin": "0", "maintenance_margin": "0", "last_maintenance_margin": "0", "sma": "0",
        })

    def position(self, market):
        qty = self.book.total(market.base)
        held, cost = self.book.entries.get(market, (ZERO, ZERO))
        average = cost / held if held else market.price
        return {
            "asset_id": self.id_of(f"asset {market.shown}"), "symbol": market.holding,
            "exchange": "NASDAQ" if market.stock else "CRYPTO", "asset_class": "us_equity" if market.stock else "crypto",
            "asset_marginable": False, "qty": short(qty), "qty_available": short(self.book.free(market.base)),
            "avg_entry_price": f"{average:.9f}", "side": "long", "market_value": short(qty * market.price),
            "cost_basis": short(cost), "unrealized_pl": short(qty * market.price - cost), "unrealized_plpc": "0",
            "unrealized_intraday_pl": "0", "unrealized_intraday_plpc": "0", "current_price": short(market.price),
            "lastday_price": short(market.price), "change_today": "0",
        }

    def get_positions(self, _):
        return Answer(200, [self.position(m) for m in self.book.markets.values() if self.book.total(m.base)])

    def get_position(self, _, name):
        market = self.names.get(name)
        if market is None or not self.book.total(market.base):
            raise self.refuse(404, 40410000, "position does not exist", False)
        return Answer(200, self.position(market))

    def get_whitelists(self, _):
        rows = [{"id": self.id_of("whitelist"), "chain": "BTC", "asset": "BTC", "address": "bc1qexample",
                 "status": "APPROVED", "created_at": "2024-01-01T00:00:00Z"}]
        return Answer(200, rows if self.permissions["withdraw"] else [])

    # ---------------------------------------------------------------- orders

    def tick_check(self, market, name, value):
        if value and market.stock and value % (Decimal("0.01") if value >= 1 else Decimal("0.0001")):
            raise self.wrong(f"invalid {name} {value}. sub-penny increment does not fulfill minimum pricing criteria")
        if value and not market.stock and value % market.tick:
            raise self.wrong(f"invalid {name} {value}. price increment is {market.tick}")

    def check_order(self, given):
        market = self.market(given["symbol"])
        kinds = {"market": ("market", ()), "limit": ("limit", ("limit_price",)), "stop": ("stop", ("stop_price",)),
                 "stop_limit": ("stop", ("stop_price", "limit_price"))}
        if given["type"] not in kinds or given["type"] == "stop" and not market.stock:
            raise self.wrong(f"invalid order type for {'equity' if market.stock else 'crypto'} order")
        kind, needed = kinds[given["type"]]
        if given["side"] not in ("buy", "sell"):
            raise self.wrong("invalid side")
        tif = given["time_in_force"]
        if tif not in (("day", "gtc", "opg", "cls", "ioc", "fok") if market.stock else ("gtc", "ioc")):
            raise self.wrong(f"invalid {'' if market.stock else 'crypto '}time_in_force")
        for name in ("limit_price", "stop_price"):
            if (name in needed) != (given.get(name) is not None):
                raise self.wrong(f"{given['type']} orders {'require' if name in needed else 'do not have'} {name}")
        qty, money = self.decimal(given, "qty"), self.decimal(given, "notional")
        price, stop = self.decimal(given, "limit_price"), self.decimal(given, "stop_price")
        if bool(qty) == bool(money):
            raise self.wrong("one of qty or notional is required")
        whole = not money and qty == qty.to_integral_value()
        if market.stock and not whole and tif != "day":
            raise self.wrong("fractional orders must be DAY orders")
        for name, value in (("limit_price", price), ("stop_price", stop)):
            self.tick_check(market, name, value)
        if given.get("extended_hours") not in (None, True, False):
            raise self.wrong("extended_hours is no boolean")
        if given.get("extended_hours") and not (kind == "limit" and tif in ("day", "gtc") and market.stock):
            raise self.wrong("extended hours order must be DAY or GTC limit orders")
        if given.get("extended_hours") and not whole and market.base in self.whole_extended:
            raise self.wrong(f"asset {market.shown} is not fractionable in extended hours")
        if (money or qty * (price or stop or market.price)) < market.notional:
            raise self.refuse(403, 40310000, "cost basis must be >= minimal amount of order 1")
        name = given.get("client_order_id")
        if name is not None and (not isinstance(name, str) or not 1 <= len(name) <= 128):
            raise self.wrong("client_order_id must be no more than 128 characters")
        if name in self.book.ids:
            raise self.refuse(422, 40010001, "client_order_id must be unique", False)
        if money:
            qty = (money / market.price / market.step).to_integral_value(ROUND_DOWN) * market.step
        return Order(
            market, given["side"] == "buy", kind, qty, price=price, stop_price=stop,
            client_id=name or self.id_of(f"client {self.book.last_order}"),
            time_in_force={"ioc": "IOC", "fok": "FOK"}.get(tif, "GTC"),
            venue={"type": given["type"], "tif": tif, "notional": given.get("notional"), "legs": [],
                   "class": given.get("order_class") or "", "extended": bool(given.get("extended_hours"))},
        )

    def legs_of(self, given, order):
        """The exits of a bracket, held until the entry is filled."""
        kind, market = order.venue["class"], order.market
        if kind in ("", "simple"):
            for name in ("take_profit", "stop_loss"):
                if given.get(name) is not None:
                    raise self.wrong(f"{name} is of bracket orders only")
            return []
        if kind not in ("bracket", "oto") or not market.stock:
            raise self.wrong("order_class is not supported")
        if order.venue["tif"] not in ("day", "gtc") or order.qty != order.qty.to_integral_value():
            raise self.wrong("bracket orders must be day or gtc, of whole shares")
        target, stop = given.get("take_profit") or {}, given.get("stop_loss") or {}
        if kind == "bracket" and not (target and stop) or kind == "oto" and bool(target) == bool(stop):
            raise self.wrong(f"{kind} orders require take_profit and stop_loss" if kind == "bracket" else "oto needs one exit")
        legs = []
        shared = {"tif": order.venue["tif"], "class": kind, "legs": [], "extended": False, "parent": order}
        if target:
            price = self.decimal(target, "limit_price")
            self.tick_check(market, "take_profit.limit_price", price)
            if (price <= market.price) == order.buys:
                raise self.wrong("take_profit.limit_price must be beyond the base price")
            legs.append(Order(market, not order.buys, "limit", order.qty, price=price, venue={"type": "limit", **shared}))
        if stop:
            price = self.decimal(stop, "stop_price")
            self.tick_check(market, "stop_loss.stop_price", price)
            if (price >= market.price) == order.buys:
                raise self.wrong("stop_loss.stop_price must be behind the base price")
            legs.append(Order(market, not order.buys, "stop", order.qty, stop_price=price, venue={"type": "stop", **shared}))
        for leg in legs:
            leg.siblings = [other for other in legs if other is not leg]
        return legs

    def put(self, order):
        try:
            return self.book.place(order)
        except Refusal as why:
            market = order.market
            if why.kind == "wash":
                raise self.refuse(
                    403, 40310000, "potential wash trade detected. use complex orders", False,
                    existing_order_id=self.order_id(why.detail), reject_reason="opposite side limit order exists") from None
            if why.kind == "closed":
                raise self.wrong(f"asset {market.shown} is not tradable", False) from None
            if why.kind == "would_trigger":
                raise self.wrong("stop price must be beyond the current price", False) from None
            if order.buys:
                raise self.refuse(403, 40310000, "insufficient buying power", False,
                                  buying_power=short(self.book.free('USD')), cost_basis=short(order.held)) from None
            raise self.refuse(
                403, 40310000, f"insufficient qty available for order (requested: {order.qty}, available: "
                f"{self.book.free(market.base)})", False, existing_qty=short(self.book.total(market.base)),
                held_for_orders=short(self.book.locked(market.base)), symbol=market.holding) from None

    def post_order(self, given):
        order = self.check_order(given)
        order.venue["legs"] = self.legs_of(given, order)
        order.marks.update(self.marks)
        self.put(order)
        return Answer(200, self.row(order, True))

    def activate(self, entry):
        """The exits of a filled entry go to work, or are rejected."""
        for leg in entry.venue["legs"]:
            leg.client_id = self.id_of(f"leg {self.book.last_order}")
            try:
                self.book.place(leg)
            except Refusal as why:
                self.book.accept(leg)
                self.book.finish(leg, "rejected", why.kind)

    def row(self, order, nested=False):
        average = order.cost / order.filled if order.filled else None
        when = {"filled": "filled_at", "cancelled": "canceled_at", "expired": "expired_at", "rejected": "failed_at",
                "replaced": "replaced_at"}.get(order.state)
        status = STATES[order.state]
        if order.state == "new" and not self.book.trades(order.market):
            status = "accepted"
        for waits in ("pending_replace", "pending_cancel"):
            if order.venue.get(waits) and order.open:
                status = waits
        found = {
            "id": self.order_id(order), "client_order_id": order.client_id, "created_at": iso(order.created),
            "updated_at": iso(order.updated), "submitted_at": iso(order.created), "filled_at": None, "expired_at": None,
            "canceled_at": None, "failed_at": None, "replaced_at": None,
            "replaced_by": order.venue.get("replaced_by"), "replaces": order.venue.get("replaces"),
            "asset_id": self.id_of(f"asset {order.market.shown}"), "symbol": order.market.shown,
            "asset_class": "us_equity" if order.market.stock else "crypto", "notional": order.venue.get("notional"),
            "qty": None if order.venue.get("notional") else short(order.qty), "filled_qty": short(order.filled),
            "filled_avg_price": None if average is None else short(average), "order_class": order.venue.get("class", ""),
            "order_type": order.venue.get("type", order.kind), "type": order.venue.get("type", order.kind),
            "side": "buy" if order.buys else "sell", "position_intent": "buy_to_open" if order.buys else "sell_to_close",
            "time_in_force": order.venue.get("tif", "gtc"), "limit_price": short(order.price) if order.price else None,
            "stop_price": short(order.stop_price) if order.stop_price else None, "status": status,
            "extended_hours": order.venue.get("extended", False), "legs": None, "trail_percent": None, "trail_price": None,
            "hwm": None, "subtag": None, "source": "access_key",
        }
        if when:
            found[when] = iso(order.updated)
        if nested and order.venue.get("legs"):
            found["legs"] = [
                {**self.row(leg), "status": STATES[leg.state] if leg.id else "held"} for leg in order.venue["legs"]]
        return found

    def find(self, name):
        for order in self.book.orders.values():
            if self.order_id(order) == name and self.book.visible(order):
                return order
        raise self.refuse(404, 40410000, f"order not found for {name}", False)

    def get_order(self, given, name):
        return Answer(200, self.row(self.find(name), given.get("nested") == "true"))

    def get_by_client(self, given):
        order = self.book.by_client.get(given["client_order_id"])
        if order is None or not self.book.visible(order):
            raise self.refuse(404, 40410000, f"order not found for {given['client_order_id']}", False)
        return Answer(200, self.row(order, given.get("nested") == "true"))

    def get_orders(self, given):
        status, limit = given.get("status", "open"), self.integer(given, "limit", 50, 1, 500)
        if status not in ("open", "closed", "all") or given.get("direction", "desc") not in ("asc", "desc"):
            raise self.wrong("status or direction")
        after, until = self.time(given, "after", 0.0), self.time(given, "until", 10.0**12)
        wanted = [self.market(name) for name in given["symbols"].split(",")] if "symbols" in given else None
        rows = [
            o for o in self.book.orders.values()
            if self.book.visible(o) and (status == "all" or o.open == (status == "open")) and after < o.created < until
            and (wanted is None or o.market in wanted) and given.get("side") in (None, "buy" if o.buys else "sell")
            and not (given.get("nested") == "true" and o.venue.get("parent"))
        ]
        rows = rows if given.get("direction") == "asc" else rows[::-1]
        return Answer(200, [self.row(o, given.get("nested") == "true") for o in rows[:limit]])

    def drop(self, order):
        if not order.open:
            raise self.wrong(f'order is already in "{STATES[order.state]}" state', False)
        self.race(order)
        if order.open and self.stuck:
            self.stuck -= 1
            self.meet("stuck")
            order.venue["pending_cancel"] = True
        elif order.open:
            self.book.cancel(order)

    def delete_order(self, _, name):
        self.drop(self.find(name))
        return Answer(204)

    def delete_orders(self, _):
        rows = []
        for order in self.book.open_orders():
            if order.open:
                self.drop(order)
                rows.append({"id": self.order_id(order), "status": 200, "body": self.row(order)})
        return Answer(207, rows)

    def patch_order(self, given, name):
        """The answer is the order that will take the place of the old one, if that does not end before."""
        old = self.find(name)
        if old.open:
            self.race(old)
        state = self.row(old)["status"]
        if state not in ("new", "partially_filled"):
            raise self.wrong(f'cannot replace order in "{state}" state', False)
        if old.market.stock and old.qty != old.qty.to_integral_value():
            raise self.wrong("only whole shares can be replaced", False)
        for word, value in (("limit_price", old.price), ("stop_price", old.stop_price)):
            if word in given and not value:
                raise self.wrong(f"{old.venue['type']} orders do not have {word}")
        price, stop = (self.decimal(given, n) or v for n, v in (("limit_price", old.price), ("stop_price", old.stop_price)))
        for word, value in (("limit_price", price), ("stop_price", stop)):
            self.tick_check(old.market, word, value)
        qty = self.decimal(given, "qty") or old.qty
        if (price, stop, qty) == (old.price, old.stop_price, old.qty):
            raise self.refuse(403, 40310000, "order parameters are not changed", False)
        new = Order(
            old.market, old.buys, old.kind, qty - old.filled, price=price,
            stop_price=stop, client_id=given.get("client_order_id") or self.id_of(f"client {self.book.last_order}"),
            time_in_force=old.time_in_force, venue={**old.venue, "replaces": name},
        )
        if new.client_id in self.book.ids:
            raise self.refuse(422, 40010001, "client_order_id must be unique", False)
        if not new.triggered and self.book.passed(new):
            raise self.wrong("stop price must be beyond the current price", False)
        self.book.number(new)
        new.state = "waiting"
        old.venue["pending_replace"] = True
        self.clock.after(self.replaces_after, lambda: self.replace(old, new))
        return Answer(200, self.row(new))

    def replace(self, old, new):
        """What came of it: the old order has ended, or rests as before and the new one is rejected."""
        old.venue.pop("pending_replace")
        refused = self.replace_refused > 0
        self.replace_refused -= refused
        if refused:
            self.meet("refuse-replace")
        if refused or not old.open:
            self.book.finish(new, "rejected", "replacement rejected")
            return
        old.venue["replaced_by"] = self.order_id(new)
        self.book.finish(old, "replaced")
        try:
            self.book.place(new)
        except Refusal as why:
            self.book.finish(new, "rejected", why.kind)

    # ---------------------------------------------------------------- fills

    def fill_id(self, fill):
        return datetime.fromtimestamp(fill.at, timezone.utc).strftime("%Y%m%d%H%M%S%f")[:17] + "::" + self.id_of(
            f"fill {fill.id}")

    def accrued_usd(self):
        amounts = (a for (kind, _), a in self.book.accrued.items() if kind != "CFEE coins")
        return sum(amounts, ZERO).quantize(CENT, ROUND_UP)

    def charge_day(self):
        """At the end of the day its fees are taken, and listed."""
        now = self.clock.shown()
        for (kind, market), amount in self.book.accrued.items():
            coins = kind == "CFEE coins"
            paid = ZERO if coins else amount.quantize(CENT, ROUND_UP)
            self.book.add("USD", -paid)
            self.charges.append((now, {
                "activity_type": kind.split()[0], "date": iso(now)[:10], "net_amount": short(-paid), "status": "executed",
                "id": datetime.fromtimestamp(now, timezone.utc).strftime("%Y%m%d") + "000000000::" + self.id_of(
                    f"charge {len(self.charges)}"),
                "description": f"fees of {market.shown}",
                **({"symbol": market.holding, "qty": short(-amount), "price": short(market.price)} if coins else {}),
            }))
        self.book.accrued.clear()

    def get_charges(self, given):
        size = self.integer(given, "page_size", 100, 1, 100)
        after = self.time(given, "after", 0.0)
        rows = [row for _, row in self.charges if from_iso(row["date"] + "T00:00:00Z") > after]
        rows = rows if given.get("direction") == "asc" else rows[::-1]
        if "page_token" in given:
            names = [row["id"] for row in rows]
            if given["page_token"] not in names:
                raise self.wrong("page_token")
            rows = rows[names.index(given["page_token"]) + 1 :]
        return Answer(200, rows[:size])

    def get_activities(self, given):
        kinds = set(given["activity_types"].split(","))
        if kinds == {"FEE", "CFEE"}:
            return self.get_charges(given)
        if kinds != {"FILL"}:
            raise self.wrong("activity_types")
        return self.get_fills({name: value for name, value in given.items() if name != "activity_types"})

    def get_fills(self, given):
        size = self.integer(given, "page_size", 100, 1, 100)
        after, until = self.time(given, "after", 0.0), self.time(given, "until", 10.0**12)
        rows = [f for f in self.book.fills if after < f.at < until and self.book.visible(f.order)]
        rows = rows if given.get("direction") == "asc" else rows[::-1]
        if "page_token" in given:
            names = [self.fill_id(f) for f in rows]
            if given["page_token"] not in names:
                raise self.wrong("page_token")
            rows = rows[names.index(given["page_token"]) + 1 :]
        found = []
        for fill in rows[:size]:
            order = fill.order
            done = sum((f.qty for f in order.fills if f.id <= fill.id), ZERO)
            found.append({
                "activity_type": "FILL", "id": self.fill_id(fill), "cum_qty": short(done),
                "leaves_qty": short(order.qty - done), "price": short(fill.price), "qty": short(fill.qty),
                "side": "buy" if order.buys else "sell", "symbol": order.market.shown, "transaction_time": iso(fill.at),
                "order_id": self.order_id(order), "type": "fill" if done >= order.qty else "partial_fill",
                "order_status": "filled" if done >= order.qty else "partially_filled",
            })
        return Answer(200, found)

    def control(self, word, words):
        if word == "session" and len(words) == 1 and words[0] in ("open", "extended", "closed", "auto"):
            self.session, self.zone, self.closing = words[0], self.noon(), None
            Alpaca.second(self)
        elif word == "session-ends" and len(words) == 2 and words[1] in ("extended", "closed"):
            self.closing = self.clock.now() + float(words[0])
            self.clock.at(self.closing, lambda: self.control("session", words[1:]))
        elif word == "closes-early" and len(words) == 1:
            self.early.add(words[0])
        elif word == "end-day" and not words:
            self.charge_day()
        elif word == "holiday" and len(words) == 1:
            self.holidays.add(words[0])
        elif word == "whole-extended" and len(words) == 1:
            self.whole_extended.add(words[0])
        elif word == "refuse-replace" and len(words) == 1:
            self.replace_refused += int(words[0])
        elif word == "replace-after" and len(words) == 1:
            self.replaces_after = float(words[0])
        elif word == "stuck" and len(words) == 1:
            self.stuck += int(words[0])
        elif word == "reset-keys" and not words:
            self.keys_reset = True
        elif word == "limits" and len(words) == 1:
            self.limit = int(words[0])
        else:
            return None
        return True


def keys():
    return f"{KEY}\n{SECRET}\n"


VENUE = Alpaca
