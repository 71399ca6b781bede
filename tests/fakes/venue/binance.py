"""Binance spot: REST, the WebSocket API with the account's stream, and the public streams.

https://developers.binance.com/docs/binance-spot-api-docs
"""

import json
from decimal import Decimal

from binance_lists import Lists
from binance_rules import CLIENT_ID, ED_KEY, ED_SEED, KEY, SECRET, Binance, amount, pem
from matching import ZERO, Matching, Order, Refusal
from server import Answer, page
from venue import Refused, Route

TYPES = {
    # type: (kind, needed, forbidden)
    "LIMIT": ("limit", ("timeInForce", "quantity", "price"), ("stopPrice", "quoteOrderQty", "trailingDelta")),
    "MARKET": ("market", (), ("price", "stopPrice", "timeInForce", "icebergQty", "trailingDelta")),
    "LIMIT_MAKER": ("limit", ("quantity", "price"), ("timeInForce", "stopPrice", "quoteOrderQty", "icebergQty")),
    "STOP_LOSS": ("stop", ("quantity", "stopPrice"), ("price", "timeInForce", "quoteOrderQty")),
    "STOP_LOSS_LIMIT": ("stop", ("timeInForce", "quantity", "price", "stopPrice"), ("quoteOrderQty",)),
    "TAKE_PROFIT": ("target", ("quantity", "stopPrice"), ("price", "timeInForce", "quoteOrderQty")),
    "TAKE_PROFIT_LIMIT": ("target", ("timeInForce", "quantity", "price", "stopPrice"), ("quoteOrderQty",)),
}
STATES = {
    "new": "NEW", "waiting": "PENDING_NEW", "partial": "PARTIALLY_FILLED", "filled": "FILLED", "cancelled": "CANCELED", "expired": "EXPIRED",
    "rejected": "REJECTED",
}
REFUSALS = {
    "insufficient": (-2010, "Account has insufficient balance for requested action."),
    "duplicate": (-2010, "Duplicate order sent."),
    "would_take": (-2010, "Order would immediately match and take."),
    "would_trigger": (-2010, "Order would trigger immediately."),
    "closed": (-2010, "Market is closed."),
}
STATUS = {
    "trading": "TRADING", "halted": "HALT", "delisted": "BREAK", "cancel_only": "CANCEL_ONLY", "post_only": "TRADING",
}
ORDER_FIELDS = (
    "timeInForce", "quantity", "quoteOrderQty", "price", "newClientOrderId", "strategyId", "strategyType",
    "stopPrice", "trailingDelta", "icebergQty", "newOrderRespType", "selfTradePreventionMode",
)


class Spot(Lists, Binance):
    name = "binance"
    matching = Matching
    markets = (
        # symbol, price, tick, step, minimum quantity, minimum notional
        ("BTC-USDT", "60000", "0.01", "0.00001", "0.00001", "5"),
        ("ETH-USDT", "3000", "0.01", "0.0001", "0.0001", "5"),
        ("SOL-USDT", "150", "0.01", "0.001", "0.001", "5"),
        ("BNB-USDT", "600", "0.01", "0.001", "0.001", "5"),
    )
    coins = (("USDT", "10000"), ("BTC", "0"), ("ETH", "0"), ("BNB", "0"))
    messages_a_second = 5

    def __init__(self, seed, clock):
        super().__init__(seed, clock)
        self.subscriptions = 0
        self.lists = {}

    def make_routes(self):
        symbol = ("symbol",)
        one = ("orderId", "origClientOrderId")
        gone = Route("stream", self.gone)
        order = Route("place", self.post_order, 0, ("symbol", "side", "type"), ORDER_FIELDS, True)
        self.routes_of_orders = (order,)
        test = Route("other", self.test_order, 1, order.needed, (*ORDER_FIELDS, "computeCommissionRates"), True)
        return {
            ("GET", "/api/v3/ping"): Route("time", lambda _: Answer(200, {})),
            ("GET", "/api/v3/time"): Route("time", self.get_time),
            ("GET", "/api/v3/exchangeInfo"): Route(
                "rules", self.get_info, 20, (), ("symbol", "symbols", "permissions", "symbolStatus",
                                                 "showPermissionSets")),
            ("GET", "/api/v3/klines"): Route(
                "klines", self.get_klines, 2, ("symbol", "interval"), ("startTime", "endTime", "limit", "timeZone")),
            ("GET", "/api/v3/depth"): Route("book", self.get_book, 5, symbol, ("limit",)),
            ("GET", "/api/v3/ticker/bookTicker"): Route("ticker", self.get_best, 2, symbol),
            ("GET", "/api/v3/ticker/price"): Route("ticker", self.get_price, 2, symbol),
            ("GET", "/api/v3/account"): Route("coins", self.get_account, 20, (), ("omitZeroBalances",), True),
            ("POST", "/api/v3/order"): order,
            ("POST", "/api/v3/order/test"): test,
            ("GET", "/api/v3/order"): Route("query", self.get_order, 4, symbol, one, True),
            ("DELETE", "/api/v3/order"): Route(
                "cancel", self.delete_order, 0, symbol, (*one, "newClientOrderId", "cancelRestrictions"), True),
            ("DELETE", "/api/v3/openOrders"): Route("cancel", self.delete_open, 0, symbol, (), True),
            ("GET", "/api/v3/openOrders"): Route("open", self.get_open, 6, (), symbol, True),
            ("GET", "/api/v3/allOrders"): Route(
                "orders", self.get_all, 20, symbol, ("orderId", "startTime", "endTime", "limit"), True),
            ("GET", "/api/v3/myTrades"): Route(
                "fills", self.get_trades, 20, symbol, ("orderId", "startTime", "endTime", "fromId", "limit"), True),
            ("GET", "/sapi/v1/account/apiRestrictions"): Route("check", self.get_restrictions, 1, (), (), True),
            ("POST", "/api/v3/userDataStream"): gone,
            ("PUT", "/api/v3/userDataStream"): gone,
            ("DELETE", "/api/v3/userDataStream"): gone,
            **self.list_routes(),
        }

    def gone(self, _):
        raise Refused(page(410, "410 Gone"), "listen keys were removed")

    # ---------------------------------------------------------------- public

    def info(self, market):
        name = market.symbol.replace("-", "")
        return {
            "symbol": name, "status": STATUS[market.status], "baseAsset": market.base, "baseAssetPrecision": 8,
            "quoteAsset": market.quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
            "orderTypes": list(TYPES), "icebergAllowed": True, "ocoAllowed": True, "otoAllowed": True,
            "quoteOrderQtyMarketAllowed": True, "allowTrailingStop": True, "cancelReplaceAllowed": True,
            "amendAllowed": True, "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": amount(market.tick), "maxPrice": "1000000.00000000",
                 "tickSize": amount(market.tick)},
                {"filterType": "LOT_SIZE", "minQty": amount(market.minimum), "maxQty": amount(market.maximum),
                 "stepSize": amount(market.step)},
                {"filterType": "ICEBERG_PARTS", "limit": 10},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "120.00000000",
                 "stepSize": "0.00000000"},
                {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000,
                 "minTrailingBelowDelta": 10, "maxTrailingBelowDelta": 2000},
                {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
                 "askMultiplierUp": "5", "askMultiplierDown": "0.2", "avgPriceMins": 5},
                {"filterType": "NOTIONAL", "minNotional": amount(market.notional), "applyMinToMarket": True,
                 "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
            ],
            "permissions": [], "permissionSets": [["SPOT", "MARGIN"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER", "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
        }

    def get_info(self, given):
        if "symbol" in given and "symbols" in given:
            raise self.refuse(-1128, "Combination of optional parameters invalid.")
        names = [given["symbol"]] if "symbol" in given else list(self.name_of)
        if "symbols" in given:
            try:
                names = json.loads(given["symbols"])
            except ValueError:
                raise self.refuse(-1100, "Illegal characters found in parameter 'symbols'") from None
        if any(name not in self.name_of for name in names):
            raise self.refuse(-1121, "Invalid symbol.", violation=False)
        if len(set(names)) != len(names):
            raise self.refuse(-1151, "Symbol is present multiple times in the list.")
        return Answer(200, {
            "timezone": "UTC", "serverTime": self.clock.ms(),
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight_limit},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self.order_limit_10s},
                {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": self.order_limit_day},
                {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300000},
            ],
            "exchangeFilters": [], "symbols": [self.info(self.name_of[name]) for name in names],
        })

    def get_book(self, given):
        return self.get_depth(given, ((100, 5), (500, 25), (1000, 50), (5000, 250)))

    def get_best(self, given):
        bid, bid_qty, ask, ask_qty = self.market(given).book.best()
        return Answer(200, {"symbol": given["symbol"], "bidPrice": amount(bid), "bidQty": amount(bid_qty),
                            "askPrice": amount(ask), "askQty": amount(ask_qty)})

    def get_price(self, given):
        return Answer(200, {"symbol": given["symbol"], "price": amount(self.market(given).price)})

    # ---------------------------------------------------------------- the account

    def get_restrictions(self, _):
        may = self.permissions
        return Answer(200, {
            "ipRestrict": may["bound"], "createTime": 1698645219000, "enableReading": may["read"],
            "enableWithdrawals": may["withdraw"], "enableInternalTransfer": may["transfer"],
            "enableMargin": False, "enableFutures": False, "permitsUniversalTransfer": may["transfer"],
            "enableVanillaOptions": False, "enableFixApiTrade": False, "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": may["trade"], "enablePortfolioMarginTrading": False,
        })

    def get_account(self, given):
        rows = [
            {"asset": name, "free": amount(self.book.free(name)), "locked": amount(self.book.locked(name))}
            for name, total in self.book.balances.items()
            if total or given.get("omitZeroBalances") != "true"
        ]
        return Answer(200, {
            "makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0,
            "commissionRates": {"maker": amount(self.book.maker_rate), "taker": amount(self.book.taker_rate),
                                "buyer": "0.00000000", "seller": "0.00000000"},
            "canTrade": True, "canWithdraw": True, "canDeposit": True, "brokered": False,
            "requireSelfTradePrevention": False, "preventSor": False, "updateTime": self.clock.ms(),
            "accountType": "SPOT", "balances": rows, "permissions": ["SPOT"], "uid": 354937868,
        })

    def check_order(self, given):
        """The order that the parameters describe, after the filters."""
        market = self.market(given)
        if given["side"] not in ("BUY", "SELL"):
            raise self.refuse(-1117, "Invalid side.")
        if given["type"] not in TYPES:
            raise self.refuse(-1116, "Invalid orderType.")
        kind, needed, forbidden = TYPES[given["type"]]
        if kind == "market":
            needed = ("quantity",) if "quoteOrderQty" not in given else ("quoteOrderQty",)
            forbidden += ("quoteOrderQty",) if "quantity" in given else ()
        for name in needed:
            if name not in given:
                raise self.refuse(
                    -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        for name in forbidden:
            if name in given:
                raise self.refuse(-1106, f"Parameter '{name}' sent when not required.")
        tif = given.get("timeInForce", "GTC")
        if tif not in ("GTC", "IOC", "FOK"):
            raise self.refuse(-1115, "Invalid timeInForce.")
        for unsupported in ("trailingDelta", "icebergQty"):
            if unsupported in given:
                raise self.refuse(-1014, "Unsupported order combination.")
        if not CLIENT_ID.match(given.get("newClientOrderId", "x")):
            raise self.refuse(
                -1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is "
                "'^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.")
        if given.get("newOrderRespType", "FULL") not in ("ACK", "RESULT", "FULL"):
            raise self.refuse(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
        price, stop = self.number(given, "price"), self.number(given, "stopPrice")
        qty, money = self.number(given, "quantity"), self.number(given, "quoteOrderQty")
        self.check_filters(market, given, qty, money, price, stop)
        client_id = given.get("newClientOrderId") or f"x-{self.random.randrange(16**20):020x}"
        return Order(
            market, given["side"] == "BUY", kind, qty, price=price, stop_price=stop, quote_qty=money,
            client_id=client_id, time_in_force=tif, post_only=given["type"] == "LIMIT_MAKER",
            venue={"type": given["type"], "shown": client_id},
        )

    def check_filters(self, market, given, qty, money, price, stop):
        def fails(name):
            return self.refuse(-1013, f"Filter failure: {name}")

        for name, value in (("price", price), ("stopPrice", stop)):
            if name in given:
                if value <= 0 or value > 1000000 or value % market.tick:
                    raise fails("PRICE_FILTER")
                if not market.price / 5 <= value <= market.price * 5:
                    raise fails("PERCENT_PRICE_BY_SIDE")
        if "quantity" in given:
            if not market.minimum <= qty <= market.maximum or qty % market.step:
                raise fails("LOT_SIZE")
            if given["type"] == "MARKET" and qty > 120:
                raise fails("MARKET_LOT_SIZE")
        worth = money or qty * (price or stop or market.price)
        if worth < market.notional or worth > 9000000:
            raise fails("NOTIONAL")
        mine = self.book.open_orders(market)
        if len(mine) >= 200:
            raise fails("MAX_NUM_ORDERS")
        if "stopPrice" in given and sum(not o.triggered for o in mine) >= 5:
            raise fails("MAX_NUM_ALGO_ORDERS")

    @staticmethod
    def words_of(why):
        return REFUSALS[why.kind]

    def test_order(self, given):
        self.check_order(given)
        return Answer(200, {})

    def post_order(self, given):
        order = self.check_order(given)
        order.marks.update(self.marks)
        self.check_order_limit()
        try:
            self.book.place(order)
        except Refusal as why:
            self.charge(1)
            code, text = self.words_of(why)
            raise self.refuse(code, text, violation=False) from None
        if order.state == "filled":
            self.count_order(-1)
        shape = given.get("newOrderRespType", "FULL" if given["type"] in ("LIMIT", "MARKET") else "ACK")
        answer = {
            "symbol": given["symbol"], "orderId": order.id, "orderListId": -1, "clientOrderId": order.client_id,
            "transactTime": int(order.created * 1000),
        }
        if shape != "ACK":
            answer.update(self.result(order))
            answer.update(workingTime=int(order.worked * 1000), selfTradePreventionMode="EXPIRE_MAKER")
        if shape == "FULL":
            answer["fills"] = [
                {"price": amount(f.price), "qty": amount(f.qty), "commission": amount(f.fee),
                 "commissionAsset": f.fee_currency, "tradeId": f.id}
                for f in order.fills
            ]
        return Answer(200, answer)

    @staticmethod
    def result(order):
        found = {
            "price": amount(order.price), "origQty": amount(order.qty), "executedQty": amount(order.filled),
            "origQuoteOrderQty": amount(order.quote_qty), "cummulativeQuoteQty": amount(order.cost),
            "status": STATES[order.state], "timeInForce": order.time_in_force, "type": order.venue.get("type", "LIMIT"),
            "side": "BUY" if order.buys else "SELL",
        }
        if order.stop_price:
            found["stopPrice"] = amount(order.stop_price)
        return found

    def row(self, order):
        found = {
            "symbol": order.market.symbol.replace("-", ""), "orderId": order.id, "orderListId": self.list_of(order),
            "clientOrderId": order.client_id,
        }
        found.update(self.result(order))
        found.update(
            stopPrice=amount(order.stop_price), icebergQty=amount(ZERO), time=int(order.created * 1000),
            updateTime=int(order.updated * 1000), isWorking=order.triggered, workingTime=int(order.worked * 1000),
            selfTradePreventionMode="EXPIRE_MAKER",
        )
        return found

    def find(self, given):
        """The newest order that the parameters name; None: REST knows none."""
        market = self.market(given)
        if "orderId" not in given and "origClientOrderId" not in given:
            raise self.refuse(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        order = self.book.by_client.get(given.get("origClientOrderId"))
        if "orderId" in given:
            order = self.book.orders.get(self.integer(given, "orderId", 0, 0, 2**63))
        if order is None or order.market is not market or not self.book.visible(order):
            return None
        return order

    def get_order(self, given):
        order = self.find(given)
        if order is None:
            raise self.refuse(-2013, "Order does not exist.", violation=False)
        if not order.open and not order.filled and self.clock.shown() - order.updated > 90 * 86400:
            raise self.refuse(
                -2026, "Order was canceled or expired with no executed qty over 90 days ago and has been archived.",
                violation=False)
        return Answer(200, self.row(order))

    def cancelled(self, order, name):
        order.venue["cancelled_as"] = order.venue["shown"] = name
        self.book.cancel(order)
        found = {
            "symbol": order.market.symbol.replace("-", ""), "origClientOrderId": order.client_id, "orderId": order.id,
            "orderListId": self.list_of(order), "clientOrderId": name, "transactTime": int(order.updated * 1000),
        }
        found.update(self.result(order))
        found["selfTradePreventionMode"] = "EXPIRE_MAKER"
        return found

    def delete_order(self, given):
        if not CLIENT_ID.match(given.get("newClientOrderId", "x")):
            raise self.refuse(-1100, "Illegal characters found in parameter 'newClientOrderId'")
        order = self.find(given)
        if order is not None and order.open:
            self.race(order)
        if order is None or not order.open:
            self.charge(1)
            raise self.refuse(-2011, "Unknown order sent.", violation=False)
        name = given.get("newClientOrderId") or f"x-{self.random.randrange(16**20):020x}"
        return Answer(200, self.cancelled(order, name))

    def delete_open(self, given):
        orders = self.book.open_orders(self.market(given))
        if not orders:
            raise self.refuse(-2011, "Unknown order sent.", violation=False)
        return Answer(200, [self.cancelled(o, f"x-{self.random.randrange(16**20):020x}") for o in orders])

    def get_open(self, given):
        if "symbol" not in given:
            self.charge(74)
        market = self.market(given) if "symbol" in given else None
        return Answer(200, [self.row(o) for o in self.book.open_orders(market) if self.book.visible(o)])

    def window(self, given):
        """(first, last) in seconds; at most a day apart."""
        first = self.integer(given, "startTime", 0, 10**11, 10**15)
        last = self.integer(given, "endTime", self.clock.ms() + 1000, 10**11, 10**15)
        if "startTime" in given and "endTime" in given and last - first > 86400000:
            raise self.refuse(-1127, "More than 24 hours between startTime and endTime.")
        return first / 1000, (last + 1) / 1000

    def get_all(self, given):
        market, limit = self.market(given), self.integer(given, "limit", 500, 1, 1000)
        first, last = self.window(given)
        low = self.integer(given, "orderId", 0, 0, 2**63)
        found = [
            self.row(o) for o in self.book.orders.values()
            if o.market is market and o.id >= low and first <= o.created < last and self.book.visible(o)
        ]
        return Answer(200, found[:limit] if low or first else found[-limit:])

    def get_trades(self, given):
        market, limit = self.market(given), self.integer(given, "limit", 500, 1, 1000)
        first, last = self.window(given)
        if "fromId" in given and ("startTime" in given or "endTime" in given):
            raise self.refuse(-1128, "Combination of optional parameters invalid.")
        low = self.integer(given, "fromId", 0, 0, 2**63)
        number = self.integer(given, "orderId", None, 0, 2**63)
        if number is not None:
            self.charge(-15)
        found = [
            {
                "symbol": given["symbol"], "id": f.id, "orderId": f.order.id, "orderListId": self.list_of(f.order),
                "price": amount(f.price), "qty": amount(f.qty), "quoteQty": amount(f.cost),
                "commission": amount(f.fee), "commissionAsset": f.fee_currency, "time": int(f.at * 1000),
                "isBuyer": f.order.buys, "isMaker": f.maker, "isBestMatch": True,
            }
            for f in self.book.fills
            if f.order.market is market and f.id >= low and number in (None, f.order.id) and first <= f.at < last
            and self.book.visible(f.order)
        ]
        return Answer(200, found[:limit] if low or first else found[-limit:])

    # ---------------------------------------------------------------- the stream of the account

    def events(self, what, order, fill):
        now = self.clock.ms()
        kind = {"fill": "TRADE", "new": "NEW", "cancelled": "CANCELED", "expired": "EXPIRED", "rejected": "REJECTED"}[what]
        shown = order.venue.get("cancelled_as") if what == "cancelled" else None
        report = {
            "e": "executionReport", "E": now, "s": order.market.symbol.replace("-", ""),
            "c": shown or order.client_id, "S": "BUY" if order.buys else "SELL", "o": order.venue.get("type", "LIMIT"),
            "f": order.time_in_force, "q": amount(order.qty), "p": amount(order.price), "P": amount(order.stop_price),
            "F": "0.00000000", "g": self.list_of(order), "C": order.client_id if shown else "", "x": kind, "X": STATES[order.state],
            "r": "NONE", "i": order.id, "l": amount(fill.qty if fill else ZERO), "z": amount(order.filled),
            "L": amount(fill.price if fill else ZERO), "n": amount(fill.fee) if fill else "0",
            "N": fill.fee_currency if fill else None, "T": int(order.updated * 1000), "t": fill.id if fill else -1,
            "I": order.id * 3, "w": order.open and order.triggered, "m": bool(fill and fill.maker), "M": False,
            "O": int(order.created * 1000), "Z": amount(order.cost), "Y": amount(fill.cost if fill else ZERO),
            "Q": amount(order.quote_qty), "W": int(order.worked * 1000), "V": "EXPIRE_MAKER",
        }
        return [report, self.position(order.market, fill)]

    @staticmethod
    def list_of(order):
        made = order.venue.get("list")
        return made.id if made else -1

    def emit(self, what, order, fill):
        super().emit(what, order, fill)
        self.follow_list(order)

    def position(self, market, fill):
        names = [market.base, market.quote] + ([fill.fee_currency] if fill else [])
        now = self.clock.ms()
        return {
            "e": "outboundAccountPosition", "E": now, "u": now,
            "B": [{"a": n, "f": amount(self.book.free(n)), "l": amount(self.book.locked(n))}
                  for n in dict.fromkeys(names)],
        }

    def send_user(self, event):
        for socket in self.sockets:
            if socket.user is not None:
                socket.send(json.dumps({"subscriptionId": socket.user, "event": event}, separators=(",", ":")))

    # ---------------------------------------------------------------- sockets

    def connect(self, socket, request):
        if request.path == "/ws-api/v3":
            socket.api, socket.key = True, None
            return None
        socket.api = False
        if request.path not in ("/ws", "/stream") and not request.path.startswith("/ws/"):
            self.violation("connect", f"no such path {request.path}")
            return page(404, "404 Not Found")
        return self.public_connect(socket, request)

    def message(self, socket, text):
        if not socket.api:
            self.public_message(socket, text)
            return
        number = None
        try:
            ask = json.loads(text)
            number, method, params = ask.get("id"), ask["method"], ask.get("params", {})
            self.current = f"WS-API {method}"
            self.log.append(f"{self.current} {text}")
            if set(ask) - {"id", "method", "params"} or not isinstance(params, dict):
                raise KeyError(text)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.violation("stream", f"no request: {text}")
            socket.send(json.dumps({"id": number, "status": 400, "error": {"code": -1135, "msg": "Invalid JSON Request"}}))
            return
        answer = self.api(socket, method, {k: self.spoken(v) for k, v in params.items()})
        body = json.loads(answer.body)
        found = {"id": number, "status": answer.status}
        found.update({"result": body} if answer.status == 200 else {"error": body})
        found["rateLimits"] = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
                                "limit": self.weight_limit, "count": self.weight_used()}]
        if answer.status in (418, 429):
            found["error"]["data"] = {"serverTime": self.clock.ms(), "retryAfter": self.clock.ms() + 10000}
        socket.send(json.dumps(found, separators=(",", ":")))
        self.current = ""

    @staticmethod
    def spoken(value):
        return value if isinstance(value, str) else json.dumps(value)

    def api(self, socket, method, given):
        """One request of the WebSocket API; those that REST has too are the same."""
        fault = self.faults.take("stream")
        instead = fault.instead(self)
        if instead:
            return instead if instead.body.startswith(b"{") else self.failure(502, {})
        acts = {
            "ping": Route("stream", lambda _: Answer(200, {})),
            "time": Route("stream", self.get_time),
            "session.logon": Route("stream", lambda _: self.log_on(socket, given), 2, ("apiKey",), (), True),
            "session.status": Route("stream", lambda _: Answer(200, self.session(socket)), 2),
            "session.logout": Route("stream", lambda _: self.log_out(socket), 2),
            "userDataStream.subscribe": Route("stream", lambda _: self.subscribe(socket, True), 2),
            "userDataStream.subscribe.signature": Route(
                "stream", lambda _: self.subscribe(socket, False), 2, ("apiKey",), (), True),
            "userDataStream.unsubscribe": Route(
                "stream", lambda _: self.unsubscribe(socket), 2, (), ("subscriptionId",)),
        }
        route = acts.get(method)
        try:
            if route is None:
                raise self.refuse(-1000, f"Unknown method {method}")
            self.check_limits(route.weight)
            self.parameters(given.items(), route)
            if route.signed:
                self.check_spoken(given)
            return route.act(given)
        except Refused as why:
            self.refused.append({"request": self.current, "why": why.why})
            if why.violation:
                self.violation("stream", why.why)
            return why.answer

    def check_spoken(self, given):
        self.check_key(given.get("apiKey"), False)
        payload = "&".join(f"{name}={given[name]}" for name in sorted(given) if name != "signature")
        if not self.signature_good(given["apiKey"], payload, given.get("signature", "")):
            raise self.refuse(-1022, "Signature for this request is not valid.")
        self.check_time(given)

    def session(self, socket):
        return {
            "apiKey": socket.key, "authorizedSince": self.clock.ms() if socket.key else None,
            "connectedSince": int(socket.opened * 1000), "returnRateLimits": True, "serverTime": self.clock.ms(),
            "userDataStream": socket.user is not None,
        }

    def log_on(self, socket, given):
        if given["apiKey"] != ED_KEY:
            raise self.refuse(-4056, "HMAC_SHA256 API key is not supported.")
        socket.key = given["apiKey"]
        return Answer(200, self.session(socket))

    def log_out(self, socket):
        socket.key = None
        return Answer(200, self.session(socket))

    def subscribe(self, socket, by_session):
        if by_session and socket.key is None:
            raise self.refuse(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        if socket.user is not None:
            raise self.refuse(-2035, "Subscription is already active.")
        socket.user = self.subscriptions
        self.subscriptions += 1
        self.silent = False
        if self.replay:
            self.replay = False
            self.meet("replay")
            for made in self.book.fills:
                self.pending.extend((made.order, event) for event in self.events("fill", made.order, made))
        return Answer(200, {"subscriptionId": socket.user})

    def unsubscribe(self, socket):
        socket.user = None
        return Answer(200, {})

    def control(self, word, words):
        if word == "shutdown" and not words:
            for socket in self.sockets:
                event = {"e": "serverShutdown", "E": self.clock.ms()}
                socket.send(json.dumps({"event": event} if socket.api else event))
                self.meet("shutdown")
        elif word == "terminate" and not words:
            self.send_user({"e": "eventStreamTerminated", "E": self.clock.ms()})
            for socket in self.sockets:
                self.met_user("terminate", socket)
                socket.user = None
        elif word == "deposit" and len(words) == 2:
            self.book.add(words[0], Decimal(words[1]))
            now = self.clock.ms()
            self.send({"e": "balanceUpdate", "E": now, "a": words[0], "d": amount(Decimal(words[1])), "T": now})
            total = {"a": words[0], "f": amount(self.book.free(words[0])), "l": amount(self.book.locked(words[0]))}
            self.send({"e": "outboundAccountPosition", "E": now, "u": now, "B": [total]})
        else:
            return super().control(word, words)
        return True


def keys():
    return f"{KEY}\n{SECRET}\n\n{ED_KEY}\n{pem(ED_SEED)}"


VENUE = Spot
