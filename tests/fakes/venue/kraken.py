"""Kraken spot: REST with a rising nonce, and WebSocket v2 with executions, balances, books and checksums.

https://docs.kraken.com/api
"""

import base64
import hashlib
import hmac
import re
from datetime import datetime, timezone
from decimal import Decimal

from kraken_streams import INTERVALS, Streams, checksum, iso, name_of
from matching import ZERO, Matching, Order, Refusal
from server import Answer, page
from venue import Refused, Route, Venue, decimal, number, pairs_of, plain

KEY = "K7NightdeskTestKeyOfKrakenNightdeskTestKeyOfKraken00"
# The published example: of this body the signature is known.
SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
VECTOR = (
    "/0/private/AddOrder", "1616492376594",
    "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
    "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==",
)
BOOK_VECTOR = (
    "45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 45290.2/0.15890660 "
    "45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 45299.5/0.18772827",
    "45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 45280.3/1.54592586 "
    "45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 45276.6/0.15445238",
    3310070434,
)
ASSETS = {"BTC": "XXBT", "ETH": "XETH", "SOL": "SOL", "USD": "ZUSD"}
STATES = {
    "new": "open", "partial": "open", "filled": "closed", "cancelled": "canceled", "expired": "canceled",
    "rejected": "canceled",
}


def signature(secret, path, nonce, body):
    digest = hashlib.sha256((nonce + body).encode()).digest()
    made = hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512)
    return base64.b64encode(made.digest()).decode()


class Spot(Matching):
    fee_in = "quote"
    cost_step = fee_step = Decimal("0.00001")

    def __init__(self, clock, emit):
        super().__init__(clock, emit)
        self.maker_rate, self.taker_rate = Decimal("0.0025"), Decimal("0.004")


class Kraken(Streams, Venue):
    name = "kraken"
    matching = Spot
    markets = (
        # symbol, price, tick, step, minimum quantity, minimum cost
        ("BTC-USD", "60000", "0.1", "0.00000001", "0.00005", "0.5"),
        ("ETH-USD", "3000", "0.01", "0.00000001", "0.002", "0.5"),
        ("SOL-USD", "150", "0.01", "0.00000001", "0.06", "0.5"),
    )
    coins = (("USD", "10000"), ("BTC", "0"))
    digits = {"BTC-USD": 1, "ETH-USD": 2, "SOL-USD": 2}
    ping_every, pong_within, stream_age = 3600.0, 3600.0, 10.0**9

    def __init__(self, seed, clock):
        path, nonce, body, expected = VECTOR
        assert signature(SECRET, path, nonce, body) == expected
        asks, bids = ([word.split("/") for word in side.split()] for side in BOOK_VECTOR[:2])
        assert checksum(asks, bids) == BOOK_VECTOR[2]
        super().__init__(seed, clock)
        self.nonce, self.bad_nonces = 0, 0
        self.locked_until = 0.0
        self.counter, self.counter_at = Decimal(0), self.clock.now()
        self.limits = {"calls": (15, 0.33), "orders": (60, 1.0)}
        self.order_counters = {}
        self.tokens = {}
        self.pairs, self.views = {}, {}
        for market in self.book.markets.values():
            base, quote = ASSETS[market.base], ASSETS[market.quote]
            market.alt = ("XBT" if market.base == "BTC" else market.base) + market.quote
            market.full = base + quote if base.startswith("X") else market.alt
            market.shown = f"{market.base}/{market.quote}"
            market.wsname = ("XBT" if market.base == "BTC" else market.base) + "/" + market.quote
            for name in (market.alt, market.full, market.wsname, market.shown):
                self.pairs[name] = market
        self.routes = self.make_routes()
        self.clock.every(1, self.beat)

    def make_routes(self):
        post, get = {}, {}
        orders = ("price", "price2", "leverage", "oflags", "timeinforce", "starttm", "expiretm", "cl_ord_id", "userref",
                  "validate", "deadline", "reduce_only", "stptype", "trigger", "displayvol")
        span = ("start", "end", "ofs")
        get["Time"] = Route("time", self.get_time)
        get["SystemStatus"] = Route("time", self.get_status)
        get["Assets"] = Route("rules", self.get_assets, 1, (), ("asset", "aclass"))
        get["AssetPairs"] = Route("rules", self.get_pairs, 1, (), ("pair", "info"))
        get["OHLC"] = Route("klines", self.get_ohlc, 1, ("pair",), ("interval", "since"))
        get["Ticker"] = Route("ticker", self.get_ticker, 1, (), ("pair",))
        get["Depth"] = Route("book", self.get_depth, 1, ("pair",), ("count",))
        post["GetApiKeyInfo"] = Route("check", self.key_info, 1)
        post["Balance"] = Route("coins", self.balance, 1)
        post["BalanceEx"] = Route("coins", self.balance_ex, 1)
        post["AddOrder"] = Route("place", self.add_order, 0, ("ordertype", "pair", "type", "volume"), orders)
        post["AmendOrder"] = Route(  # of what it can change, only prices
            "amend", self.amend_order, 0, (), ("txid", "cl_ord_id", "limit_price", "trigger_price", "deadline"))
        post["CancelOrder"] = Route("cancel", self.cancel_order, 0, (), ("txid", "cl_ord_id"))
        post["CancelAll"] = Route("cancel", self.cancel_all, 1)
        post["CancelAllOrdersAfter"] = Route("guard", self.cancel_after, 1, ("timeout",))
        post["OpenOrders"] = Route("open", self.open_orders, 1, (), ("trades", "userref", "cl_ord_id"))
        post["ClosedOrders"] = Route(
            "orders", self.closed_orders, 2, (), ("trades", "userref", "cl_ord_id", *span, "closetime",
                                                  "consolidate_taker", "without_count"))
        post["QueryOrders"] = Route("query", self.query_orders, 1, ("txid",), ("trades", "userref", "consolidate_taker"))
        post["TradesHistory"] = Route(
            "fills", self.trades_history, 2, (), ("type", "trades", *span, "consolidate_taker", "ledgers"))
        post["GetWebSocketsToken"] = Route("stream", self.get_token, 1)
        routes = {("GET", "/0/public/" + name): route for name, route in get.items()}
        for name, route in post.items():
            route.signed = True
            routes["POST", "/0/private/" + name] = route
        return routes

    def route(self, request):
        return self.routes.get((request.method, request.path))

    # ---------------------------------------------------------------- answers

    def result(self, value):
        return Answer(200, plain({"error": [], "result": value}))

    def error(self, text):
        return Answer(200, {"error": [text]})

    def refuse(self, text, violation=True):
        return Refused(self.error(text), text, violation)

    def wrong(self, what):
        return self.refuse(f"EGeneral:Invalid arguments:{what}")

    def unknown_path(self):
        return self.error("EGeneral:Unknown method")

    def failure(self, status, headers):
        if status == 429:
            return self.error("EAPI:Rate limit exceeded")
        if status == 418:
            self.locked_until = self.clock.now() + float(headers.get("Retry-After", 900))
            return self.error("EGeneral:Temporary lockout")
        return page(status, f"{status}: Web server is returning an unknown error", headers)

    def gateway(self, status):
        return page(status, f"{status}: Bad gateway")

    def unclear(self):
        return self.error("EService:Timeout")

    def overloaded(self):
        return self.error("EService:Busy")

    def closed(self):
        return self.error("EService:Unavailable")

    # ---------------------------------------------------------------- requests

    def act(self, request, route):
        body = request.body.decode("latin-1")
        try:
            pairs = pairs_of(request.query) + pairs_of(body)
        except ValueError as why:
            raise self.wrong(why) from None
        given = dict(pairs)
        if len(given) != len(pairs):
            raise self.wrong("repeated parameter")
        if route.signed:
            self.check_signed(request, body, given)
            self.charge(route.weight)
        known = set(route.needed) | set(route.optional) | ({"nonce", "otp"} if route.signed else set())
        for name in given:
            if name not in known and not (route.kind == "place" and re.fullmatch(r"close\[(ordertype|price|price2)\]", name)):
                raise self.wrong(name)
        for name in route.needed:
            if not given.get(name):
                raise self.wrong(name)
        return route.act(given)

    def check_signed(self, request, body, given):
        now = self.clock.now()
        if now < self.locked_until:
            raise self.refuse("EGeneral:Temporary lockout")
        if request.header("content-type") != "application/x-www-form-urlencoded" or request.query:
            raise self.wrong("a private request is a form")
        if request.header("api-key") != KEY:
            raise self.refuse("EAPI:Invalid key")
        nonce = given.get("nonce", "")
        if not hmac.compare_digest(signature(SECRET, request.path, nonce, body), request.header("api-sign") or ""):
            raise self.refuse("EAPI:Invalid signature")
        if not nonce.isdigit() or not self.nonce < int(nonce) < 2**64:
            self.bad_nonces += 1
            self.meet("nonce")
            if self.bad_nonces >= 5:
                self.locked_until = now + 900
            raise self.refuse("EAPI:Invalid nonce")
        self.nonce = int(nonce)
        needs = "trade" if request.path.rpartition("/")[2] in (
            "AddOrder", "AmendOrder", "CancelOrder", "CancelAll", "CancelAllOrdersAfter") else "read"
        if not self.permissions[needs] and not request.path.endswith("GetApiKeyInfo"):
            raise self.refuse("EGeneral:Permission denied", False)

    def charge(self, weight):
        now = self.clock.now()
        most, falls = self.limits["calls"]
        passed = Decimal(now - self.counter_at)
        self.counter = max(ZERO, self.counter - passed * Decimal(falls)) + weight
        self.counter_at = now
        if self.counter > most:
            self.counter -= weight
            raise self.refuse("EAPI:Rate limit exceeded")

    def charge_orders(self, market, weight, cancels=False):
        most, falls = self.limits["orders"]
        now = self.clock.now()
        count, at = self.order_counters.get(market, (0.0, now))
        count = max(0.0, count - (now - at) * falls) + weight
        if count > most and not cancels:
            raise self.refuse("EOrder:Rate limit exceeded")
        self.order_counters[market] = (count, now)

    def market(self, given, strict=True):
        market = self.pairs.get(given.get("pair", ""))
        if market is not None and market.status == "delisted":
            self.meet("delisted")
        if market is None or market.status == "delisted":
            raise self.refuse("EQuery:Unknown asset pair", strict and market is None)
        return market

    def integer(self, given, name, usual, low, high):
        text = given.get(name, str(usual))
        if not re.fullmatch(r"[0-9]{1,19}", text) or not low <= int(text) <= high:
            raise self.wrong(name)
        return int(text)

    def amount(self, given, name):
        if name not in given:
            return ZERO
        if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", given[name]):
            raise self.wrong(name)
        return decimal(given[name])

    # ---------------------------------------------------------------- public

    def get_time(self, _):
        now = self.clock.shown()
        text = datetime.fromtimestamp(now, timezone.utc).strftime("%a, %d %b %y %H:%M:%S +0000")
        return self.result({"unixtime": int(now), "rfc1123": text})

    def get_status(self, _):
        return self.result({"status": "online", "timestamp": iso(self.clock.shown())[:19] + "Z"})

    def get_assets(self, _):
        return self.result({
            full: {"aclass": "currency", "altname": "XBT" if name == "BTC" else name, "decimals": 4 if name == "USD" else 10,
                   "display_decimals": 2 if name == "USD" else 5, "collateral_value": 1, "status": "enabled"}
            for name, full in ASSETS.items()
        })

    def get_pairs(self, given):
        wanted = [m for m in self.book.markets.values() if m.status != "delisted"]
        if "pair" in given:
            wanted = [self.market({"pair": name}, False) for name in given["pair"].split(",")]
        status = {"trading": "online", "halted": "cancel_only"}
        return self.result({
            m.full: {
                "altname": m.alt, "wsname": m.wsname, "aclass_base": "currency", "base": ASSETS[m.base],
                "aclass_quote": "currency", "quote": ASSETS[m.quote], "lot": "unit", "cost_decimals": 5,
                "pair_decimals": self.digits[m.symbol], "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [],
                "leverage_sell": [], "fees": [[0, number("0.40")]], "fees_maker": [[0, number("0.25")]],
                "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40, "ordermin": str(m.minimum),
                "costmin": str(m.notional), "tick_size": str(m.tick), "status": status.get(m.status, m.status),
            }
            for m in wanted
        })

    def price(self, market, value):
        return f"{value:.{self.digits[market.symbol]}f}"

    def get_ohlc(self, given):
        market, interval = self.market(given), self.integer(given, "interval", 1, 1, 21600)
        if interval not in INTERVALS:
            raise self.wrong("interval")
        now, step = int(self.clock.now()), interval * 60
        last = now // step * step
        first = max(last - 719 * step, market.path.born)
        if "since" in given:
            first = max(first, self.integer(given, "since", 0, 0, 10**11) + 1)
        rows = []
        for at in range(-(-first // step) * step, last + 1, step):
            candle = market.path.candle(at, interval)
            if candle:
                o, h, low, c = (self.price(market, ticks * market.tick) for ticks in candle[:4])
                size = Decimal(candle[4]) / 100
                rows.append([at, o, h, low, c, self.price(market, (candle[1] + candle[2]) * market.tick / 2),
                             f"{size:.8f}", candle[4]])
        return self.result({market.full: rows, "last": rows[-2][0] if len(rows) > 1 else first})

    def get_ticker(self, given):
        wanted = [self.market({"pair": name}) for name in given.get("pair", "XBTUSD").split(",")]
        rows = {}
        for market in wanted:
            bid, bid_qty, ask, ask_qty = market.book.best()
            last = self.price(market, market.price)
            rows[market.full] = {
                "a": [self.price(market, ask), "1", f"{ask_qty:.3f}"], "b": [self.price(market, bid), "1", f"{bid_qty:.3f}"],
                "c": [last, "0.00100000"], "v": ["1.0", "2.0"], "p": [last, last], "t": [1, 2], "l": [last, last],
                "h": [last, last], "o": last,
            }
        return self.result(rows)

    def get_depth(self, given):
        market, count = self.market(given), self.integer(given, "count", 100, 1, 500)
        asks, bids = self.top(market, count)
        now = int(self.clock.shown())
        return self.result({market.full: {"asks": [[p, q, now] for p, q in asks], "bids": [[p, q, now] for p, q in bids]}})

    # ---------------------------------------------------------------- the account

    def key_info(self, _):
        names = {
            "read": ("query-funds", "query-open-trades", "query-closed-trades", "create-ws-token"),
            "trade": ("modify-trades", "close-trades"), "withdraw": ("withdraw-funds",),
            "transfer": ("add-withdraw-address",),
        }
        return self.result({
            "apiKeyName": "nightdesk", "apiKey": KEY, "nonceWindow": "0", "createdTime": "1700000000",
            "modifiedTime": "1700000000", "validUntil": "0", "queryFrom": "0", "queryTo": "0", "iban": "AA00 N84G",
            "ipAllowlist": ["127.0.0.1"] if self.permissions["bound"] else [],
            "permissions": [name for group, rows in names.items() if self.permissions[group] for name in rows],
        })

    def asset_amount(self, value):
        return f"{value:.10f}"

    def balance(self, _):
        return self.result({ASSETS[name]: self.asset_amount(total) for name, total in self.book.balances.items()})

    def balance_ex(self, _):
        return self.result({
            ASSETS[name]: {"balance": self.asset_amount(total), "hold_trade": self.asset_amount(self.book.locked(name))}
            for name, total in self.book.balances.items()
        })

    def check_order(self, given):
        market = self.market(given)
        if given["type"] not in ("buy", "sell"):
            raise self.wrong("type")
        kinds = {
            "market": ("market", False), "limit": ("limit", True), "stop-loss": ("stop", False),
            "stop-loss-limit": ("stop", True), "take-profit": ("target", False), "take-profit-limit": ("target", True),
        }
        if given["ordertype"] not in kinds:
            raise self.wrong("ordertype")
        kind, limited = kinds[given["ordertype"]]
        price, price2, qty = (self.amount(given, name) for name in ("price", "price2", "volume"))
        stop = price if kind in ("stop", "target") else ZERO
        limit = (price2 if stop else price) if limited else ZERO
        if limited and not limit or kind in ("stop", "target") and not stop or kind == "market" and price:
            raise self.wrong("price")
        self.check_ticks(market, stop, limit)
        flags = set(given.get("oflags", "fciq").split(","))
        if flags - {"post", "fcib", "fciq", "nompp", "viqc"} or {"fcib", "fciq"} <= flags:
            raise self.wrong("oflags")
        if "post" in flags and kind != "limit":
            raise self.wrong("oflags")
        tif = given.get("timeinforce", "GTC")
        if tif not in ("GTC", "IOC", "GTD") or "post" in flags and tif == "IOC":
            raise self.wrong("timeinforce")
        for name in ("leverage", "reduce_only", "starttm", "expiretm", "displayvol"):
            if given.get(name, "none") not in ("none", "false", "0"):
                raise self.wrong(name)
        money = qty if "viqc" in flags else ZERO
        if money and (kind != "market" or given["type"] != "buy"):
            raise self.wrong("oflags")
        worth = money or qty * (limit or stop or market.price)
        if not money and (qty < market.minimum or qty % market.step):
            raise self.refuse("EGeneral:Invalid arguments:volume minimum not met")
        if worth < market.notional:
            raise self.refuse("EOrder:Cost minimum not met")
        self.check_ids(given)
        return Order(
            market, given["type"] == "buy", kind, ZERO if money else qty, price=limit, stop_price=stop, quote_qty=money,
            client_id=given.get("cl_ord_id", ""), time_in_force="GTC" if tif == "GTD" else tif, post_only="post" in flags,
            venue={"type": given["ordertype"], "oflags": ",".join(sorted(flags)), "tif": tif},
        )

    def check_ticks(self, market, *prices):
        for value in prices:
            if -value.as_tuple().exponent > self.digits[market.symbol] and value % market.tick:
                raise self.refuse(
                    f"EOrder:Invalid price:{market.alt} price can only be specified up to "
                    f"{self.digits[market.symbol]} decimals.")
            if value % market.tick:
                raise self.refuse("EOrder:Tick size check failed")

    def check_ids(self, given):
        name = given.get("cl_ord_id")
        if name is not None and not re.fullmatch(
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[ -~]{1,18}", name
        ):
            raise self.wrong("cl_ord_id")
        if name is not None and "userref" in given:
            raise self.wrong("userref")
        self.check_deadline(given)

    def check_deadline(self, given):
        if "deadline" in given:
            try:
                at = datetime.fromisoformat(given["deadline"].replace("Z", "+00:00"))
                left = at.timestamp() - self.clock.shown()
            except (ValueError, TypeError):
                raise self.wrong("deadline") from None
            if at.tzinfo is None or left > 60:
                raise self.wrong("deadline")
            if left < 0:
                raise self.refuse("EService:Deadline elapsed", False)

    def add_order(self, given):
        order = self.check_order(given)
        order.marks.update(self.marks)
        market = order.market
        self.charge_orders(market, 1)
        if given.get("validate") == "true":
            return self.result({"descr": {"order": self.describe(order)}})
        try:
            self.book.place(order)
        except Refusal as why:
            texts = {
                "insufficient": "EOrder:Insufficient funds", "duplicate": "EOrder:Duplicate cl_ord_id",
                "would_take": "EOrder:Post only order", "would_trigger": "EOrder:Invalid price",
                "closed": f"EService:Market in {'cancel_only' if why.detail == 'halted' else why.detail} mode",
            }
            raise self.refuse(texts[why.kind], False) from None
        found = {"descr": {"order": self.describe(order)}, "txid": [name_of("O", order.id)]}
        if order.client_id:
            found["cl_ord_id"] = order.client_id
        return self.result(found)

    def describe(self, order):
        kind = order.venue.get("type", "limit")
        price = self.price(order.market, order.price or order.stop_price)
        return (f"{'buy' if order.buys else 'sell'} {order.qty:.8f} {order.market.alt} @ "
                f"{kind}{'' if kind == 'market' else ' ' + price}")

    def find(self, given):
        if ("txid" in given) == ("cl_ord_id" in given):
            raise self.wrong("txid")
        if "cl_ord_id" in given:
            return self.book.by_client.get(given["cl_ord_id"])
        return next((o for o in self.book.orders.values() if name_of("O", o.id) == given["txid"]), None)

    def amend_order(self, given):
        """In place: the ids stay. A stop that has triggered, or would, is not changed."""
        order = self.find(given)
        names = [name for name in ("limit_price", "trigger_price") if name in given]
        if not names:
            raise self.wrong("nothing is changed")
        if order is not None and order.open:
            self.race(order)
        if order is None or not order.open or not self.book.visible(order):
            raise self.refuse("EOrder:Unknown order", False)
        if "trigger_price" in names and order.kind == "limit" or "limit_price" in names and not order.limited:
            raise self.wrong(names[0])
        price, stop = self.amount(given, "limit_price") or order.price, self.amount(given, "trigger_price") or order.stop_price
        self.check_ticks(order.market, price, stop)
        self.check_deadline(given)
        age = self.clock.shown() - order.created
        self.charge_orders(order.market, next((w for most, w in ((5, 4), (10, 3), (15, 2)) if age < most), 1))
        try:
            self.book.amend(order, price, stop)
        except Refusal as why:
            raise self.refuse(
                {"insufficient": "EOrder:Insufficient funds", "would_trigger": "EOrder:Invalid price"}[why.kind],
                False) from None
        return self.result({"amend_id": name_of("T", f"{order.id} {self.clock.now()}")})

    def cancel_order(self, given):
        order = self.find(given)
        if order is not None and order.open:
            self.race(order)
        if order is None or not order.open or not self.book.visible(order):
            raise self.refuse("EOrder:Unknown order", False)
        age = self.clock.shown() - order.created
        weights = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
        self.charge_orders(order.market, next((w for most, w in weights if age < most), 0), cancels=True)
        order.venue["reason"] = "User requested"
        self.book.cancel(order)
        return self.result({"count": 1})

    def cancel_all(self, _):
        orders = self.book.open_orders()
        for order in orders:
            order.venue["reason"] = "User requested"
            self.book.cancel(order)
        return self.result({"count": len(orders)})

    def cancel_after(self, given):
        wait = self.integer(given, "timeout", 0, 0, 86400)
        self.book.guard(None, wait)
        now = self.clock.shown()
        return self.result({
            "currentTime": iso(now)[:19] + "Z", "triggerTime": iso(now + wait)[:19] + "Z" if wait else "0"})

    def row(self, order):
        market, average = order.market, order.cost / order.filled if order.filled else ZERO
        found = {
            "refid": None, "userref": 0, "status": STATES[order.state], "opentm": number(f"{order.created:.4f}"),
            "starttm": 0, "expiretm": 0,
            "descr": {
                "pair": market.alt, "type": "buy" if order.buys else "sell", "ordertype": order.venue.get("type", "limit"),
                "price": self.price(market, order.stop_price or order.price),
                "price2": self.price(market, order.price if order.stop_price else ZERO), "leverage": "none",
                "order": self.describe(order), "close": "",
            },
            "vol": f"{order.qty:.8f}", "vol_exec": f"{order.filled:.8f}", "cost": f"{order.cost:.5f}",
            "fee": f"{sum((f.fee for f in order.fills), ZERO):.5f}", "price": f"{average:.5f}", "stopprice": f"{order.stop_price:.5f}",
            "limitprice": "0.00000", "misc": "amended" if order.amended else "", "oflags": order.venue.get("oflags", "fciq"), "reason": None,
            "trades": [name_of("T", f.id) for f in order.fills],
        }
        if order.client_id:
            found["cl_ord_id"] = order.client_id
        if not order.open:
            found.update(closetm=number(f"{order.updated:.4f}"), reason=order.venue.get("reason") or order.reason or None)
        return found

    def listed(self, given, is_open):
        return [
            o for o in self.book.orders.values()
            if o.open == is_open and self.book.visible(o) and given.get("cl_ord_id") in (None, o.client_id)
        ]

    def open_orders(self, given):
        return self.result({"open": {name_of("O", o.id): self.row(o) for o in self.listed(given, True)}})

    def page(self, given, rows, moment):
        """(count, rows of the page): newest first, 50 at a time; start is exclusive."""
        low, high = (float(self.amount(given, name)) for name in ("start", "end"))
        found = [row for row in reversed(rows) if moment(row) > low and (not high or moment(row) <= high)]
        first = self.integer(given, "ofs", 0, 0, 10**9)
        return len(found), found[first : first + 50]

    def closed_orders(self, given):
        count, rows = self.page(given, self.listed(given, False), lambda o: o.updated)
        return self.result({"closed": {name_of("O", o.id): self.row(o) for o in rows}, "count": count})

    def query_orders(self, given):
        names = given["txid"].split(",")
        found = {name_of("O", o.id): o for o in self.book.orders.values() if self.book.visible(o)}
        if len(names) > 50 or any(name not in found for name in names):
            raise self.refuse("EOrder:Unknown order", False)
        return self.result({name: self.row(found[name]) for name in names})

    def trades_history(self, given):
        seen = [f for f in self.book.fills if self.book.visible(f.order)]
        count, rows = self.page(given, seen, lambda f: f.at)
        return self.result({
            "count": count,
            "trades": {
                name_of("T", f.id): {
                    "ordertxid": name_of("O", f.order.id), "postxid": name_of("P", f.order.id),
                    "pair": f.order.market.full, "time": number(f"{f.at:.7f}"), "type": "buy" if f.order.buys else "sell",
                    "ordertype": f.order.venue.get("type", "limit"), "price": f"{f.price:.5f}", "cost": f"{f.cost:.5f}",
                    "fee": f"{f.fee:.5f}", "vol": f"{f.qty:.8f}", "margin": "0.00000", "leverage": "0", "misc": "",
                    "trade_id": f.id, "maker": f.maker,
                    **({"cl_ord_id": f.order.client_id} if f.order.client_id else {}),
                }
                for f in rows
            },
        })

    def get_token(self, _):
        token = base64.b64encode(hashlib.sha256(f"token {self.seed} {len(self.tokens)}".encode()).digest()).decode()
        self.tokens[token] = self.clock.now() + 900
        return self.result({"token": token, "expires": 900})

    def control(self, word, words):
        if word == "nonce" and len(words) == 1:
            self.nonce = int(words[0]) + (self.nonce if words[0].startswith("+") else 0)
        elif word == "limits" and len(words) == 4:
            self.limits = {"calls": (int(words[0]), float(words[1])), "orders": (int(words[2]), float(words[3]))}
        elif word == "unlimited" and not words:
            self.counter, self.order_counters, self.locked_until, self.bad_nonces = ZERO, {}, 0.0, 0
        elif word == "expire" and not words:
            self.tokens.clear()
        else:
            return None
        return True


def keys():
    return f"{KEY}\n{SECRET}\n"


VENUE = Kraken
