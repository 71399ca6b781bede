"""Coinbase Advanced Trade: REST with a JSON Web Token for each request, and the two streams.

https://docs.cdp.coinbase.com/advanced-trade
"""

import base64
import hashlib
import json
import re
import uuid
from datetime import datetime, timezone
from decimal import ROUND_DOWN, Decimal

import curves
from matching import ZERO, Matching, Order, Refusal
from server import Answer, page
from venue import Refused, Route, Venue, decimal, pairs_of

ES_KEY = "organizations/5a1f0c8e-0000-4000-8000-000000000001/apiKeys/5a1f0c8e-0000-4000-8000-000000000002"
ED_KEY = "organizations/5a1f0c8e-0000-4000-8000-000000000001/apiKeys/5a1f0c8e-0000-4000-8000-000000000003"
ES_SECRET = int.from_bytes(hashlib.sha256(b"nightdesk test key of P-256").digest(), "big") % curves.N
ED_SEED = hashlib.sha256(b"nightdesk test key of Ed25519").digest()
# RFC 8032 test 1: of the empty text the signature is known.
ED_VECTOR = (
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655"
    "141438e7a100b",
)
# RFC 6979 A.2.5: of "sample", with SHA-256.
ES_VECTOR = (
    0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721,
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
)
GRANULARITY = {
    "ONE_MINUTE": 1, "FIVE_MINUTE": 5, "FIFTEEN_MINUTE": 15, "THIRTY_MINUTE": 30, "ONE_HOUR": 60, "TWO_HOUR": 120,
    "FOUR_HOUR": 240, "SIX_HOUR": 360, "ONE_DAY": 1440,
}
STATES = {
    "new": "OPEN", "partial": "OPEN", "filled": "FILLED", "cancelled": "CANCELLED", "expired": "CANCELLED",
    "rejected": "FAILED",
}
CONFIGURATIONS = {
    # name: (kind, time in force, needed, optional)
    "market_market_ioc": ("market", "IOC", (), ("base_size", "quote_size", "rfq_disabled")),
    "sor_limit_ioc": ("limit", "IOC", ("limit_price", "base_size"), ("rfq_disabled",)),
    "limit_limit_gtc": ("limit", "GTC", ("limit_price", "base_size"), ("post_only", "rfq_disabled")),
    "limit_limit_gtd": ("limit", "GTC", ("limit_price", "base_size", "end_time"), ("post_only",)),
    "limit_limit_fok": ("limit", "FOK", ("limit_price", "base_size"), ("rfq_disabled",)),
    "stop_limit_stop_limit_gtc": ("stop", "GTC", ("limit_price", "base_size", "stop_price", "stop_direction"), ()),
}
ROOT = "/api/v3/brokerage/"
PRIVATE = ("user", "futures_balance_summary")
CHANNELS = (*PRIVATE, "heartbeats", "candles", "ticker", "ticker_batch", "level2", "market_trades", "status")


def unpad(text):
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("no base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_iso(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Spot(Matching):
    fee_in = "quote"

    def __init__(self, clock, emit):
        super().__init__(clock, emit)
        self.maker_rate, self.taker_rate = Decimal("0.004"), Decimal("0.006")


class Coinbase(Venue):
    name = "coinbase"
    matching = Spot
    markets = (
        ("BTC-USD", "60000", "0.01", "0.00000001", "0.00000001", "1"),
        ("ETH-USD", "3000", "0.01", "0.00000001", "0.00000001", "1"),
        ("SOL-USD", "150", "0.01", "0.00000001", "0.00000001", "1"),
    )
    coins = (("USD", "10000"), ("BTC", "0"), ("ETH", "0"))
    ping_every, pong_within, stream_age = 3600.0, 3600.0, 10.0**9

    def __init__(self, seed, clock):
        assert curves.ed25519_good(bytes.fromhex(ED_VECTOR[0]), b"", bytes.fromhex(ED_VECTOR[1]))
        assert curves.p256_good(curves.p256_public(ES_VECTOR[0]), b"sample", bytes.fromhex(ES_VECTOR[1]))
        super().__init__(seed, clock)
        self.public = {ES_KEY: curves.p256_public(ES_SECRET), ED_KEY: curves.ed25519_public(ED_SEED)}
        self.tokens = set()
        self.portfolio = self.id_of("portfolio")
        self.first_answers = {}
        self.duplicates = "first"
        self.private_limit, self.public_limit = 30, 10
        self.window = {}
        self.routes = self.make_routes()

    def id_of(self, text):
        return str(uuid.UUID(bytes=hashlib.sha256(f"{self.seed} {text}".encode()).digest()[:16], version=4))

    def order_id(self, order):
        return self.id_of(f"order {order.id}")

    def make_routes(self):
        fills = ("order_ids", "trade_ids", "product_ids", "start_sequence_timestamp", "end_sequence_timestamp", "limit",
                 "cursor", "sort_by")
        batch = ("order_ids", "product_ids", "product_type", "order_status", "time_in_forces", "order_types", "order_side",
                 "start_date", "end_date", "order_placement_source", "contract_expiry_type", "asset_filters",
                 "retail_portfolio_id", "limit", "cursor", "sort_by")
        candles = (("start", "end", "granularity"), ("limit",))
        listing = ("limit", "offset", "product_type", "product_ids", "get_all_products", "get_tradability_status")
        rows = [
            ("GET", "time", Route("time", self.get_time)),
            ("GET", "market/products", Route("rules", self.get_products, 1, (), listing)),
            ("GET", "market/products/*", Route("rules", self.get_product)),
            ("GET", "market/products/*/candles", Route("klines", self.get_candles, 1, *candles)),
            ("GET", "market/product_book", Route("book", self.get_book, 1, ("product_id",), ("limit",))),
            ("GET", "products", Route("rules", self.get_products, 1, (), listing, True)),
            ("GET", "products/*", Route("rules", self.get_product, 1, (), ("get_tradability_status",), True)),
            ("GET", "products/*/candles", Route("klines", self.get_candles, 1, *candles, True)),
            ("GET", "product_book", Route("book", self.get_book, 1, ("product_id",), ("limit",), True)),
            ("GET", "best_bid_ask", Route("ticker", self.get_best, 1, (), ("product_ids",), True)),
            ("GET", "key_permissions", Route("check", self.get_permissions, 1, (), (), True)),
            ("GET", "accounts", Route("coins", self.get_accounts, 1, (), ("limit", "cursor", "retail_portfolio_id"), True)),
            ("POST", "orders", Route("place", self.post_order, 1, ("client_order_id", "product_id", "side",
                                                                  "order_configuration"),
                                     ("retail_portfolio_id", "self_trade_prevention_id", "leverage", "margin_type"), True)),
            ("POST", "orders/batch_cancel", Route("cancel", self.post_cancel, 1, ("order_ids",), (), True)),
            ("GET", "orders/historical/batch", Route("open", self.get_orders, 1, (), batch, True)),
            ("GET", "orders/historical/fills", Route("fills", self.get_fills, 1, (), fills, True)),
            ("GET", "orders/historical/*", Route("query", self.get_order, 1, (), (), True)),
        ]
        return [(method, re.compile(re.escape(ROOT + path).replace(r"\*", "([^/]+)")), route) for method, path, route in rows]

    def route(self, request):
        for method, pattern, route in self.routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                request.names = match.groups()
                return route
        return None

    # ---------------------------------------------------------------- answers

    def error(self, status, name, text):
        return Answer(status, {"error": name, "error_details": text, "message": text})

    def refuse(self, status, name, text, violation=True):
        return Refused(self.error(status, name, text), f"{name}: {text}", violation)

    def unauthorized(self, why, violation=True):
        return Refused(Answer(401, "Unauthorized\n", kind="text/plain"), why, violation)

    def wrong(self, what):
        return self.refuse(400, "INVALID_ARGUMENT", what)

    def unknown_path(self):
        return Answer(404, "404 page not found\n", kind="text/plain")

    def failure(self, status, headers):
        if status == 401:
            return Answer(401, "Unauthorized\n", kind="text/plain")
        if status == 403:
            return self.error(403, "PERMISSION_DENIED", "Missing required scopes")
        if status == 429:
            return self.error(429, "RESOURCE_EXHAUSTED", "Too many requests")
        if status == 418:
            return page(403, "403 Forbidden")
        return self.error(status, "INTERNAL", "Internal server error")

    def gateway(self, status):
        return page(status, f"{status} Bad Gateway")

    def unclear(self):
        return self.error(500, "INTERNAL", "Internal server error")

    def closed(self):
        return self.error(503, "UNAVAILABLE", "Service unavailable")

    # ---------------------------------------------------------------- requests

    def limit(self, name, most):
        second = int(self.clock.now())
        count = self.window[name] = (second, self.window.get(name, (second, 0))[1] + 1
                                     if self.window.get(name, (second, 0))[0] == second else 1)
        if count[1] > most:
            raise Refused(self.failure(429, {}), f"more than {most} requests a second")
        return {"x-ratelimit-limit": most, "x-ratelimit-remaining": most - count[1], "x-ratelimit-reset": 1}

    def act(self, request, route):
        headers = self.limit("private" if route.signed else "public",
                             self.private_limit if route.signed else self.public_limit)
        if route.signed:
            self.check_token(request, route)
        try:
            pairs = pairs_of(request.query)
        except ValueError as why:
            raise self.wrong(why) from None
        many = {"order_ids", "trade_ids", "product_ids", "order_status", "order_types", "time_in_forces"}
        given = {}
        for name, value in pairs:
            if name in given and name not in many:
                raise self.wrong(f"repeated {name}")
            given[name] = [*given.get(name, []), value] if name in many else value
        if request.method == "POST":
            given = self.read_body(request, given)
        for name in given:
            if name not in route.needed and name not in route.optional:
                raise self.wrong(f"unknown field {name}")
        for name in route.needed:
            if not given.get(name):
                raise self.wrong(f"{name} is missing")
        answer = route.act(given, *request.names)
        answer.headers.update(headers)
        return answer

    def read_body(self, request, given):
        if given or (request.header("content-type") or "").partition(";")[0] != "application/json":
            raise self.wrong("a body of JSON is needed, without a query")

        def once(rows):
            if len(dict(rows)) != len(rows):
                raise ValueError("a repeated member")
            return dict(rows)

        try:
            found = json.loads(request.body, object_pairs_hook=once)
            if not isinstance(found, dict):
                raise ValueError("no object")
            return found
        except ValueError as why:
            raise self.wrong(f"body: {why}") from None

    def check_token(self, request, route):
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        if scheme != "Bearer":
            raise self.unauthorized("no token")
        hosts = (request.header("host"), (request.header("host") or "").partition(":")[0], "api.coinbase.com")
        self.check_jwt(token, [f"{request.method} {host}{request.path}" for host in hosts])
        needed = "trade" if route.kind in ("place", "cancel") else "read"
        if not self.permissions[needed]:
            raise Refused(self.failure(403, {}), "no permission", False)

    def check_jwt(self, token, uris):
        """uris: the ones that are right; None: there must be none (streams)."""
        try:
            first, second, third = token.split(".")
            head, claims, signature = json.loads(unpad(first)), json.loads(unpad(second)), unpad(third)
        except (ValueError, UnicodeDecodeError):
            raise self.unauthorized("no JSON Web Token") from None
        text, now = f"{first}.{second}".encode(), self.clock.shown()
        name = head.get("kid")
        good = {ES_KEY: ("ES256", curves.p256_good), ED_KEY: ("EdDSA", curves.ed25519_good)}.get(name)
        if good is None or head.get("alg") != good[0] or not good[1](self.public[name], text, signature):
            raise self.unauthorized("a wrong signature")
        if set(head) - {"typ"} != {"alg", "kid", "nonce"} or head.get("typ", "JWT") != "JWT" or not re.fullmatch(
            "[0-9A-Za-z_-]{8,64}", str(head["nonce"])
        ):
            raise self.unauthorized(f"a wrong header: {head}")
        if claims.get("sub") != name or claims.get("iss") != "cdp":
            raise self.unauthorized(f"a wrong sub or iss: {claims}")
        if ("uri" in claims) != (uris is not None) or uris and claims["uri"] not in uris:
            raise self.unauthorized(f"a wrong uri: {claims.get('uri')}")
        before, until = claims.get("nbf"), claims.get("exp")
        if not isinstance(before, int) or not isinstance(until, int) or until - before > 120:
            raise self.unauthorized("a wrong nbf or exp")
        if not before - 1 <= now < until:
            raise self.unauthorized("outside of its time")
        if token in self.tokens:
            raise self.unauthorized("a token that was used before")
        self.tokens.add(token)

    def market(self, name, violation=True):
        market = self.book.markets.get(name)
        if market is not None and market.status == "delisted":
            self.meet("delisted")
        if market is None or market.status == "delisted":
            raise self.refuse(404, "NOT_FOUND", "valid product_id is required", violation and market is None)
        return market

    def integer(self, given, name, usual, low, high):
        text = given.get(name, str(usual))
        if not re.fullmatch(r"[0-9]{1,15}", text) or not low <= int(text) <= high:
            raise self.wrong(name)
        return int(text)

    # ---------------------------------------------------------------- public

    def get_time(self, _):
        now = self.clock.ms()
        return Answer(200, {"iso": iso(now / 1000)[:19] + "Z", "epochSeconds": str(now // 1000), "epochMillis": str(now)})

    def product(self, market):
        return {
            "product_id": market.symbol, "price": str(market.price), "price_percentage_change_24h": "0",
            "volume_24h": "1000", "volume_percentage_change_24h": "0", "base_increment": f"{market.step:f}",
            "quote_increment": str(market.tick), "quote_min_size": str(market.notional), "quote_max_size": "150000000",
            "base_min_size": f"{market.minimum:f}", "base_max_size": "3400", "base_name": market.base,
            "quote_name": market.quote, "watched": False, "is_disabled": market.status == "halted", "new": False,
            "status": "online" if market.status != "halted" else "offline", "cancel_only": market.status == "cancel_only",
            "limit_only": False, "post_only": market.status == "post_only", "trading_disabled": market.status == "halted",
            "auction_mode": False, "product_type": "SPOT", "quote_currency_id": market.quote,
            "base_currency_id": market.base, "mid_market_price": "", "alias": "", "alias_to": [market.base + "-USDC"],
            "base_display_symbol": market.base, "quote_display_symbol": market.quote, "view_only": False,
            "price_increment": str(market.tick), "display_name": market.symbol, "product_venue": "CBE",
        }

    def get_products(self, given):
        names = given.get("product_ids") or [m.symbol for m in self.book.markets.values() if m.status != "delisted"]
        rows = [self.product(self.book.markets[name]) for name in names if name in self.book.markets]
        return Answer(200, {"products": rows, "num_products": len(rows)})

    def get_product(self, _, name):
        return Answer(200, self.product(self.market(name, False)))

    def get_candles(self, given, name):
        market = self.market(name)
        if given["granularity"] not in GRANULARITY:
            raise self.wrong("granularity")
        minutes = GRANULARITY[given["granularity"]]
        first, last = (self.integer(given, word, 0, 10**8, 10**11) for word in ("start", "end"))
        step, limit = minutes * 60, self.integer(given, "limit", 350, 1, 350)
        first, last = -(-first // step) * step, min(last, int(self.clock.now())) // step * step
        if (last - first) // step >= 350:
            raise self.wrong("number of candles requested should be less than 350")
        rows = []
        for at in range(last, max(first, market.path.born) - 1, -step):
            candle = market.path.candle(at, minutes)
            if candle and len(rows) < limit:
                o, h, low, c = (str(ticks * market.tick) for ticks in candle[:4])
                rows.append({"start": str(at), "low": low, "high": h, "open": o, "close": c,
                             "volume": str(Decimal(candle[4]) / 100)})
        return Answer(200, {"candles": rows})

    def levels(self, market, count):
        book = market.book
        return {
            "bids": [{"price": str(p), "size": f"{book.bids[p]:f}"} for p in sorted(book.bids, reverse=True)[:count]],
            "asks": [{"price": str(p), "size": f"{book.asks[p]:f}"} for p in sorted(book.asks)[:count]],
        }

    def get_book(self, given):
        market = self.market(given["product_id"])
        found = {"product_id": market.symbol, **self.levels(market, self.integer(given, "limit", 1000, 1, 1000))}
        return Answer(200, {"pricebook": {**found, "time": iso(self.clock.shown())}})

    def get_best(self, given):
        names = given.get("product_ids") or list(self.book.markets)
        return Answer(200, {"pricebooks": [
            {"product_id": name, **self.levels(self.market(name), 1), "time": iso(self.clock.shown())} for name in names]})

    # ---------------------------------------------------------------- the account

    def get_permissions(self, _):
        may = self.permissions
        return Answer(200, {
            "can_view": may["read"], "can_trade": may["trade"], "can_transfer": may["withdraw"] or may["transfer"],
            "portfolio_uuid": self.portfolio, "portfolio_type": "DEFAULT",
        })

    def get_accounts(self, given):
        limit = self.integer(given, "limit", 49, 1, 250)
        first = self.integer(given, "cursor", 0, 0, 10**6)
        names = list(self.book.balances)
        rows = [
            {
                "uuid": self.id_of(f"account {name}"), "name": f"{name} Wallet", "currency": name,
                "available_balance": {"value": f"{self.book.free(name):f}", "currency": name}, "default": True,
                "active": True, "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z",
                "deleted_at": None, "type": "ACCOUNT_TYPE_FIAT" if name == "USD" else "ACCOUNT_TYPE_CRYPTO",
                "ready": True, "hold": {"value": f"{self.book.locked(name):f}", "currency": name},
                "retail_portfolio_id": self.portfolio, "platform": "ACCOUNT_PLATFORM_CONSUMER",
            }
            for name in names[first : first + limit]
        ]
        more = first + limit < len(names)
        return Answer(200, {"accounts": rows, "has_next": more, "cursor": str(first + limit) if more else "",
                            "size": len(rows)})

    def number(self, values, name):
        text = values.get(name, "0")
        if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", text):
            raise self.wrong(f"{name} is no decimal as text")
        return decimal(text)

    def check_order(self, given):
        market = self.market(given["product_id"])
        if given["side"] not in ("BUY", "SELL"):
            raise self.wrong("side")
        if not isinstance(given["client_order_id"], str) or not re.fullmatch(r"[!-~]{1,128}", given["client_order_id"]):
            raise self.wrong("client_order_id")
        configuration = given["order_configuration"]
        if not isinstance(configuration, dict) or len(configuration) != 1:
            raise self.wrong("order_configuration")
        (name, values), = configuration.items()
        if name not in CONFIGURATIONS:
            raise Refusal("UNSUPPORTED_ORDER_CONFIGURATION")
        kind, tif, needed, optional = CONFIGURATIONS[name]
        for member in needed:
            if member not in values:
                raise self.wrong(f"{name}.{member} is missing")
        for member in values:
            if member not in needed and member not in optional:
                raise self.wrong(f"{name}.{member} is unknown")
        qty, money = self.number(values, "base_size"), self.number(values, "quote_size")
        price, stop = self.number(values, "limit_price"), self.number(values, "stop_price")
        if bool(qty) == bool(money) or money and given["side"] == "SELL":
            raise self.wrong(f"{name}: one of base_size and quote_size")
        if not isinstance(values.get("post_only", False), bool):
            raise self.wrong("post_only")
        buys = given["side"] == "BUY"
        if kind == "stop":
            if values["stop_direction"] not in ("STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN"):
                raise self.wrong("stop_direction")
            kind = "stop" if buys == values["stop_direction"].endswith("UP") else "target"
        for value in (price, stop):
            if value % market.tick:
                self.violation("place", f"price off the tick: {value}")
                raise Refusal("INVALID_PRICE_PRECISION")
        if qty % market.step or money % market.tick:
            self.violation("place", f"size off the step: {qty or money}")
            raise Refusal("INVALID_SIZE_PRECISION")
        if (money or qty * (price or market.price)) < market.notional or qty and qty < market.minimum:
            self.violation("place", "size too small")
            raise Refusal("ORDER_ENTRY_DISABLED" if market.status != "trading" else "INVALID_ORDER_SIZE")
        if money:
            most = (money / (1 + self.book.taker_rate) / market.price / market.step).to_integral_value(ROUND_DOWN)
            qty = most * market.step
        return Order(
            market, buys, kind, qty, price=price, stop_price=stop, client_id=given["client_order_id"], time_in_force=tif,
            post_only=values.get("post_only", False), venue={"configuration": configuration, "name": name},
        )

    def post_order(self, given):
        first = self.first_answers.get(given["client_order_id"])
        if first is not None and self.duplicates == "first":
            if first[0] != given:
                self.violation("place", "another order with a client id that was used")
            return Answer(200, first[1])
        try:
            if first is not None:
                raise Refusal("DUPLICATE_CLIENT_ORDER_ID")
            order = self.check_order(given)
            order.marks.update(self.marks)
            self.book.place(order)
        except Refusal as why:
            kind = {
                "insufficient": "INSUFFICIENT_FUND", "would_take": "INVALID_LIMIT_PRICE_POST_ONLY",
                "would_trigger": "INVALID_STOP_PRICE", "closed": "PRODUCT_TRADING_HALTED",
            }.get(why.kind, why.kind)
            self.refused.append({"request": self.current, "why": kind})
            return Answer(200, {
                "success": False, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": "",
                "error_response": {
                    "error": kind, "message": kind.replace("_", " ").capitalize(), "error_details": "",
                    "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON", "new_order_failure_reason": kind,
                },
                "order_configuration": given["order_configuration"],
            })
        answer = {
            "success": True, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": self.order_id(order),
            "success_response": {"order_id": self.order_id(order), "product_id": order.market.symbol,
                                 "side": given["side"], "client_order_id": order.client_id},
            "order_configuration": given["order_configuration"],
        }
        self.first_answers[order.client_id] = (given, answer)
        return Answer(200, answer)

    def post_cancel(self, given):
        ids = given["order_ids"]
        if not isinstance(ids, list) or not 1 <= len(ids) <= 100:
            raise self.wrong("order_ids")
        known = {self.order_id(o): o for o in self.book.orders.values()}
        rows = []
        for name in ids:
            order = known.get(name)
            if order is not None and order.open and self.book.visible(order):
                self.race(order)
                if order.open:
                    self.book.cancel(order)
                rows.append({"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": name})
            else:
                rows.append({"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": name})
        return Answer(200, {"results": rows})

    def row(self, order):
        average = order.cost / order.filled if order.filled else ZERO
        fees = sum((f.fee for f in order.fills), ZERO)
        side = 1 if order.buys else -1
        return {
            "order_id": self.order_id(order), "product_id": order.market.symbol, "user_id": self.id_of("user"),
            "order_configuration": order.venue.get("configuration", {"market_market_ioc": {"base_size": str(order.qty)}}),
            "side": "BUY" if order.buys else "SELL", "client_order_id": order.client_id, "status": STATES[order.state],
            "time_in_force": {"GTC": "GOOD_UNTIL_CANCELLED", "IOC": "IMMEDIATE_OR_CANCEL", "FOK": "FILL_OR_KILL"}[
                order.time_in_force],
            "created_time": iso(order.created), "completion_percentage": f"{100 * order.filled / order.qty:.2f}",
            "filled_size": f"{order.filled:f}", "average_filled_price": f"{average:f}", "fee": "",
            "number_of_fills": str(len(order.fills)), "filled_value": f"{order.cost:f}", "pending_cancel": False,
            "size_in_quote": False, "total_fees": f"{fees:f}", "size_inclusive_of_fees": False,
            "total_value_after_fees": f"{order.cost + side * fees:f}", "trigger_status": "INVALID_ORDER_TYPE",
            "order_type": {"market": "MARKET", "limit": "LIMIT"}.get(order.kind, "STOP_LIMIT"),
            "reject_reason": "REJECT_REASON_UNSPECIFIED", "settled": order.state == "filled", "product_type": "SPOT",
            "reject_message": "", "cancel_message": order.reason or ("User requested cancel" if order.state == "cancelled"
                                                                     else ""),
            "order_placement_source": "RETAIL_ADVANCED", "outstanding_hold_amount": f"{order.held if order.open else ZERO:f}",
            "is_liquidation": False, "last_fill_time": iso(order.fills[-1].at) if order.fills else None,
            "edit_history": [], "leverage": "", "margin_type": "UNKNOWN_MARGIN_TYPE",
            "retail_portfolio_id": self.portfolio, "last_update_time": iso(order.updated),
        }

    def get_order(self, _, name):
        for order in self.book.orders.values():
            if self.order_id(order) == name and self.book.visible(order):
                return Answer(200, {"order": self.row(order)})
        raise self.refuse(404, "NOT_FOUND", "order with this orderID was not found", False)

    def get_orders(self, given):
        """Newest first."""
        wanted, limit = given.get("order_status"), self.integer(given, "limit", 1000, 1, 1000)
        if wanted and "OPEN" in wanted and len(wanted) > 1:
            raise self.wrong("OPEN cannot be combined with other statuses")
        first = self.integer(given, "cursor", 0, 0, 10**9)
        try:
            low = from_iso(given["start_date"]) if "start_date" in given else 0.0
            high = from_iso(given["end_date"]) if "end_date" in given else 10.0**12
        except ValueError:
            raise self.wrong("a date") from None
        rows = [
            o for o in reversed(self.book.orders.values())
            if self.book.visible(o) and (not wanted or STATES[o.state] in wanted) and low <= o.created < high
            and ("product_ids" not in given or o.market.symbol in given["product_ids"])
            and ("order_ids" not in given or self.order_id(o) in given["order_ids"])
        ]
        more = first + limit < len(rows)
        return Answer(200, {"orders": [self.row(o) for o in rows[first : first + limit]], "sequence": "0",
                            "has_next": more, "cursor": str(first + limit) if more else ""})

    def get_fills(self, given):
        """Newest first."""
        limit, first = self.integer(given, "limit", 100, 1, 3000), self.integer(given, "cursor", 0, 0, 10**9)
        try:
            low, high = (
                from_iso(given[name]) if name in given else usual
                for name, usual in (("start_sequence_timestamp", 0.0), ("end_sequence_timestamp", 10.0**12))
            )
        except ValueError:
            raise self.wrong("a date") from None
        rows = [
            f for f in reversed(self.book.fills)
            if self.book.visible(f.order) and low <= f.at <= high
            and ("order_ids" not in given or self.order_id(f.order) in given["order_ids"])
            and ("product_ids" not in given or f.order.market.symbol in given["product_ids"])
            and ("trade_ids" not in given or self.id_of(f"trade {f.id}") in given["trade_ids"])
        ]
        more = first + limit < len(rows)
        return Answer(200, {
            "fills": [
                {
                    "entry_id": hashlib.sha256(f"{self.seed} {f.id}".encode()).hexdigest(),
                    "trade_id": self.id_of(f"trade {f.id}"), "order_id": self.order_id(f.order), "trade_time": iso(f.at),
                    "trade_type": "FILL", "price": str(f.price), "size": f"{f.qty:f}", "commission": f"{f.fee:f}",
                    "product_id": f.order.market.symbol, "sequence_timestamp": iso(f.at),
                    "liquidity_indicator": "MAKER" if f.maker else "TAKER", "size_in_quote": False,
                    "user_id": self.id_of("user"), "side": "BUY" if f.order.buys else "SELL",
                    "retail_portfolio_id": self.portfolio, "fillSource": "FILL_SOURCE_CLOB",
                }
                for f in rows[first : first + limit]
            ],
            "cursor": str(first + limit) if more else "",
        })

    # ---------------------------------------------------------------- streams

    def connect(self, socket, request):
        if request.path != "/":
            self.violation("connect", f"no such path {request.path}")
            return page(404, "404 Not Found")
        return None

    def connected(self, socket):
        socket.sequence = 0
        socket.beats = 0

        def look():
            if not socket.closed and not socket.subscribed and socket.user is None:
                self.violation("stream", "no subscription within 5 s")
                socket.close(1008, "no subscription")

        self.clock.after(5, look)

    def say(self, socket, channel, events):
        found = {"channel": channel, "client_id": "", "timestamp": iso(self.clock.shown()),
                 "sequence_num": socket.sequence, "events": events}
        socket.sequence += 1
        socket.send(json.dumps(found, separators=(",", ":")))

    def message(self, socket, text):
        self.current = "stream"

        def refuse(why, shown="authentication failure"):
            self.violation("stream", f"{why}: {text}")
            socket.send(json.dumps({"type": "error", "message": shown}))

        try:
            ask = json.loads(text)
            kind, channel, names = ask["type"], ask["channel"], ask.get("product_ids", [])
            if set(ask) - {"type", "channel", "product_ids", "jwt"} or kind not in ("subscribe", "unsubscribe"):
                raise ValueError(text)
        except (ValueError, KeyError, TypeError):
            refuse("no request", "failed to parse request")
            return
        if channel not in CHANNELS or any(name not in self.book.markets for name in names):
            refuse("unknown channel or product", "channel field is required")
            return
        if channel in PRIVATE or "jwt" in ask:
            try:
                self.check_jwt(ask.get("jwt", ""), None)
            except Refused as why:
                refuse(why.why)
                return
        if channel == "user":
            socket.user = {} if kind == "subscribe" else None
            self.silent = False
        for name in names or ["*"]:
            (socket.subscribed.add if kind == "subscribe" else socket.subscribed.discard)((channel, name))
        self.say(socket, "subscriptions", [{"subscriptions": {
            one: sorted(n for c, n in socket.subscribed if c == one) for one, _ in sorted(socket.subscribed)}}])
        if kind == "subscribe":
            self.snapshot(socket, channel, names)
        self.current = ""

    def snapshot(self, socket, channel, names):
        if channel == "user":
            rows = [self.stream_row(o) for o in self.book.open_orders()]
            self.say(socket, "user", [{"type": "snapshot", "orders": rows, "positions": {
                "perpetual_futures_positions": [], "expiring_futures_positions": []}}])
        for name in names:
            market = self.book.markets[name]
            if channel == "level2":
                updates = self.updates(market.book.bids, market.book.asks)
                self.say(socket, "l2_data", [{"type": "snapshot", "product_id": name, "updates": updates}])
            elif channel == "ticker":
                self.say(socket, "ticker", [{"type": "snapshot", "tickers": [self.ticker(market)]}])
            elif channel == "candles":
                at = int(self.clock.now()) // 300 * 300
                rows = [self.candle_row(market, at - n * 300) for n in range(10)]
                self.say(socket, "candles", [{"type": "snapshot", "candles": rows}])

    def updates(self, bids, asks):
        now = iso(self.clock.shown())
        return [
            {"side": side, "event_time": now, "price_level": str(p), "new_quantity": f"{q:f}"}
            for side, levels in (("bid", bids), ("offer", asks)) for p, q in levels.items()
        ]

    def ticker(self, market):
        bid, bid_qty, ask, ask_qty = market.book.best()
        return {
            "type": "ticker", "product_id": market.symbol, "price": str(market.price), "volume_24_h": "1000",
            "low_24_h": str(market.price), "high_24_h": str(market.price), "low_52_w": "0", "high_52_w": "0",
            "price_percent_chg_24_h": "0", "best_bid": str(bid), "best_bid_quantity": f"{bid_qty:f}",
            "best_ask": str(ask), "best_ask_quantity": f"{ask_qty:f}",
        }

    def candle_row(self, market, at):
        o, h, low, c, volume = market.path.candle(at, 5) or (0, 0, 0, 0, 0)
        return {"start": str(at), "high": str(h * market.tick), "low": str(low * market.tick), "open": str(o * market.tick),
                "close": str(c * market.tick), "volume": str(Decimal(volume) / 100), "product_id": market.symbol}

    def to_public(self, channel, market, events, shown=None):
        listeners = [s for s in self.sockets if (channel, market.symbol) in s.subscribed]
        lost = bool(listeners) and self.public_gap()
        for socket in listeners:
            if lost:
                socket.sequence += 1
            else:
                self.say(socket, shown or channel, events)

    def publish(self, market, what, **values):
        if not any(name == market.symbol for s in self.sockets for _, name in s.subscribed):
            return
        if what == "book":
            _, _, bids, asks = values["change"]
            rows = self.updates(bids, asks)
            self.to_public("level2", market, [{"type": "update", "product_id": market.symbol, "updates": rows}], "l2_data")
            self.to_public("ticker", market, [{"type": "update", "tickers": [self.ticker(market)]}])
        elif what == "candle" and any(("candles", market.symbol) in s.subscribed for s in self.sockets):
            at = int(self.clock.now()) // 300 * 300
            self.to_public("candles", market, [{"type": "update", "candles": [self.candle_row(market, at)]}])
        elif what == "trade":
            market.trades = getattr(market, "trades", 100) + 1
            self.to_public("market_trades", market, [{"type": "update", "trades": [{
                "trade_id": str(market.trades), "product_id": market.symbol, "price": str(market.price),
                "size": f"{values['qty']:f}", "side": "BUY" if values["rises"] else "SELL",
                "time": iso(self.clock.shown()),
            }]}])

    def second(self):
        super().second()
        for socket in self.sockets:
            if ("heartbeats", "*") in socket.subscribed and not (self.silent and socket.user is not None):
                socket.beats += 1
                now = datetime.fromtimestamp(self.clock.shown(), timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
                self.say(socket, "heartbeats", [{"current_time": now + "000 +0000 UTC m=+91717.525857105",
                                                 "heartbeat_counter": socket.beats}])

    def stream_row(self, order):
        row = self.row(order)
        return {
            "avg_price": row["average_filled_price"], "cancel_reason": row["cancel_message"],
            "client_order_id": order.client_id, "completion_percentage": row["completion_percentage"],
            "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE", "cumulative_quantity": row["filled_size"],
            "filled_value": row["filled_value"], "leaves_quantity": f"{order.left if order.open else ZERO:f}",
            "limit_price": f"{order.price:f}", "number_of_fills": row["number_of_fills"], "order_id": row["order_id"],
            "order_side": row["side"], "order_type": {"market": "Market", "limit": "Limit"}.get(order.kind, "Stop Limit"),
            "outstanding_hold_amount": row["outstanding_hold_amount"],
            "post_only": "true" if order.post_only else "false", "product_id": order.market.symbol, "product_type": "SPOT",
            "reject_reason": "", "retail_portfolio_id": self.portfolio,
            "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE", "status": row["status"],
            "stop_price": f"{order.stop_price:f}" if order.stop_price else "", "time_in_force": order.time_in_force,
            "total_fees": row["total_fees"], "total_value_after_fees": row["total_value_after_fees"],
            "trigger_status": row["trigger_status"], "creation_time": row["created_time"],
            "end_time": "0001-01-01T00:00:00Z", "start_time": "0001-01-01T00:00:00Z",
        }

    def events(self, what, order, fill):
        """Cumulative: an event has no trade of its own."""
        return [{"type": "update", "orders": [self.stream_row(order)]}]

    def skip_user(self, event):
        for socket in self.sockets:
            if socket.user is not None:
                socket.sequence += 1

    def send_user(self, event):
        for socket in self.sockets:
            if socket.user is not None:
                self.say(socket, "user", [event])

    def control(self, word, words):
        if word == "duplicates" and words in (("first",), ("error",)):
            self.duplicates = words[0]
        elif word == "limits" and len(words) == 2:
            self.private_limit, self.public_limit = int(words[0]), int(words[1])
        else:
            return None
        return True


def der(tag, *parts):
    body = b"".join(parts)
    return bytes([tag, len(body)] if len(body) < 128 else [tag, 0x81, len(body)]) + body


def keys():
    """Each key as Coinbase hands it out: SEC1 in PEM, and base64 of seed and public key."""
    x, y = curves.p256_public(ES_SECRET)
    point = b"\x00\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    curve = bytes.fromhex("06082a8648ce3d030107")
    raw = der(0x30, b"\x02\x01\x01", der(4, ES_SECRET.to_bytes(32, "big")), der(0xA0, curve), der(0xA1, der(3, point)))
    text = base64.b64encode(raw).decode()
    lines = "\n".join(text[n : n + 64] for n in range(0, len(text), 64))
    pair = base64.b64encode(ED_SEED + curves.ed25519_public(ED_SEED)).decode()
    return f"{ES_KEY}\n-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n\n{ED_KEY}\n{pair}\n"


VENUE = Coinbase
