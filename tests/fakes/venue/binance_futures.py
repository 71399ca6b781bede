"""Binance USD-M futures: REST, listen keys, the routed streams, and conditional orders apart.

https://developers.binance.com/docs/derivatives/usds-margined-futures
"""

import json
import re
from decimal import Decimal
from urllib.parse import parse_qsl

from binance_conditional import CONDITIONAL, REFUSALS, Conditional
from binance_rules import CLIENT_ID, ED_KEY, ED_SEED, KEY, SECRET, Binance, amount, pem
from margined import Margined
from matching import ZERO, Order, Refusal
from server import Answer, page
from venue import Route

STATES = {
    "new": "NEW", "partial": "PARTIALLY_FILLED", "filled": "FILLED", "cancelled": "CANCELED", "expired": "EXPIRED",
    "rejected": "REJECTED",
}
STATUS = {
    "trading": "TRADING", "halted": "PENDING_TRADING", "delisted": "SETTLING", "cancel_only": "PENDING_TRADING",
    "post_only": "TRADING",
}
ORDER_FIELDS = (
    "positionSide", "timeInForce", "quantity", "reduceOnly", "price", "newClientOrderId", "newOrderRespType",
    "priceMatch", "selfTradePreventionMode", "goodTillDate", "stopPrice", "closePosition", "activationPrice",
    "callbackRate", "workingType", "priceProtect",
)
LISTEN_KEY_SECONDS = 60 * 60


class Futures(Conditional, Binance):
    name = "binance_futures"
    matching = Margined
    markets = (
        ("BTC-USDT", "60000", "0.1", "0.001", "0.001", "50"),
        ("ETH-USDT", "3000", "0.01", "0.001", "0.001", "20"),
        ("SOL-USDT", "150", "0.01", "0.01", "0.01", "5"),
    )
    coins = (("USDT", "10000"),)
    weight_limit, order_limit_10s = 2400, 300
    messages_a_second = 10
    ping_every, pong_within = 180.0, 600.0

    def __init__(self, seed, clock):
        super().__init__(seed, clock)
        self.hedged = False
        self.multi_assets = False
        self.algos, self.last_algo = {}, 1_000_000_000
        self.algo_refused = 0
        self.listen_key, self.listen_until = None, 0.0
        self.rate = Decimal("0.0001")
        self.called = False
        self.clock.every(8 * 3600, self.fund_all)

    def make_routes(self):
        symbol, one = ("symbol",), ("orderId", "origClientOrderId")
        times = ("startTime", "endTime", "limit")
        place = Route("place", self.post_order, 0, ("symbol", "side", "type"), ORDER_FIELDS, True)
        algo = ("algoId", "clientAlgoId")
        more = (*ORDER_FIELDS, "triggerPrice", "clientAlgoId", "activatePrice")
        key = {"keyed": True}
        return {
            ("GET", "/fapi/v1/ping"): Route("time", lambda _: Answer(200, {})),
            ("GET", "/fapi/v1/time"): Route("time", self.get_time),
            ("GET", "/fapi/v1/exchangeInfo"): Route("rules", self.get_info),
            ("GET", "/fapi/v1/klines"): Route("klines", self.get_candles, 5, ("symbol", "interval"), times),
            ("GET", "/fapi/v1/depth"): Route("book", self.get_book, 2, symbol, ("limit",)),
            ("GET", "/fapi/v1/ticker/bookTicker"): Route("ticker", self.get_best, 2, symbol),
            ("GET", "/fapi/v1/ticker/price"): Route("ticker", self.get_price, 1, symbol),
            ("GET", "/fapi/v1/premiumIndex"): Route("ticker", self.get_premium, 1, symbol),
            ("GET", "/fapi/v3/account"): Route("coins", self.get_account, 5, (), (), True),
            ("GET", "/fapi/v3/balance"): Route("coins", self.get_balance, 5, (), (), True),
            ("GET", "/fapi/v3/positionRisk"): Route("positions", self.get_positions, 5, (), symbol, True),
            ("GET", "/fapi/v1/accountConfig"): Route("settings", self.get_config, 5, (), (), True),
            ("GET", "/fapi/v1/symbolConfig"): Route("settings", self.get_symbol_config, 5, (), symbol, True),
            ("POST", "/fapi/v1/order"): place,
            ("POST", "/fapi/v1/order/test"): Route("other", self.test_order, 1, place.needed, ORDER_FIELDS, True),
            ("GET", "/fapi/v1/order"): Route("query", self.get_order, 1, symbol, one, True),
            ("DELETE", "/fapi/v1/order"): Route("cancel", self.delete_order, 1, symbol, one, True),
            ("DELETE", "/fapi/v1/allOpenOrders"): Route("cancel", self.delete_open, 1, symbol, (), True),
            ("GET", "/fapi/v1/openOrders"): Route("open", self.get_open, 1, (), symbol, True),
            ("GET", "/fapi/v1/allOrders"): Route("orders", self.get_all, 5, symbol, ("orderId", *times), True),
            ("GET", "/fapi/v1/forceOrders"): Route(
                "forced", self.get_forced, 20, (), ("symbol", "autoCloseType", *times), True),
            ("GET", "/fapi/v1/userTrades"): Route(
                "fills", self.get_trades, 5, symbol, ("orderId", "fromId", *times), True),
            ("GET", "/fapi/v1/income"): Route(
                "funding", self.get_income, 30, (), ("symbol", "incomeType", "page", *times), True),
            ("POST", "/fapi/v1/leverage"): Route("settings", self.post_leverage, 1, ("symbol", "leverage"), (), True),
            ("POST", "/fapi/v1/marginType"): Route("settings", self.post_margin, 1, ("symbol", "marginType"), (), True),
            ("GET", "/fapi/v1/positionSide/dual"): Route("settings", self.get_dual, 30, (), (), True),
            ("POST", "/fapi/v1/positionSide/dual"): Route(
                "settings", self.post_dual, 1, ("dualSidePosition",), (), True),
            ("POST", "/fapi/v1/countdownCancelAll"): Route(
                "guard", self.post_countdown, 10, ("symbol", "countdownTime"), (), True),
            ("POST", "/fapi/v1/algoOrder"): Route(
                "place", self.post_algo, 0, ("algoType", "symbol", "side", "type"), more, True),
            ("GET", "/fapi/v1/algoOrder"): Route("query", self.get_algo, 1, (), algo, True),
            ("DELETE", "/fapi/v1/algoOrder"): Route("cancel", self.delete_algo, 1, (), algo, True),
            ("GET", "/fapi/v1/openAlgoOrders"): Route("open", self.get_algos, 1, (), ("symbol", "algoType", "algoId"), True),
            ("DELETE", "/fapi/v1/algoOpenOrders"): Route("cancel", self.delete_algos, 1, symbol, (), True),
            ("POST", "/fapi/v1/listenKey"): Route("stream", self.post_key, 1, (), (), False, **key),
            ("PUT", "/fapi/v1/listenKey"): Route("stream", self.put_key, 1, (), (), False, **key),
            ("DELETE", "/fapi/v1/listenKey"): Route("stream", self.delete_key, 1, (), (), False, **key),
            ("GET", "/sapi/v1/account/apiRestrictions"): Route("check", self.get_restrictions, 1, (), (), True),
        }

    # ---------------------------------------------------------------- answers that are no JSON of a request

    def failure(self, status, headers):
        if status == 503:
            return self.error(0, "Service Unavailable.", 503, headers)
        return super().failure(status, headers)

    def unclear(self):
        return self.error(
            -1006, "Unknown error, please check your request or try again later.", 503)

    # ---------------------------------------------------------------- public

    def p(self, market, price):
        return f"{price.quantize(market.tick):f}"

    def q(self, market, qty):
        return f"{qty.quantize(market.step):f}"

    def get_info(self, _):
        rows = []
        for name, market in self.name_of.items():
            rows.append({
                "symbol": name, "pair": name, "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
                "onboardDate": 1569398400000, "status": STATUS[market.status], "maintMarginPercent": "2.5000",
                "requiredMarginPercent": "5.0000", "baseAsset": market.base, "quoteAsset": market.quote,
                "marginAsset": market.quote, "pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8,
                "quotePrecision": 8, "underlyingType": "COIN", "triggerProtect": "0.0500", "liquidationFee": "0.012500",
                "marketTakeBound": "0.05",
                "filters": [
                    {"filterType": "PRICE_FILTER", "minPrice": str(market.tick), "maxPrice": "1000000",
                     "tickSize": str(market.tick)},
                    {"filterType": "LOT_SIZE", "minQty": str(market.minimum), "maxQty": "1000",
                     "stepSize": str(market.step)},
                    {"filterType": "MARKET_LOT_SIZE", "minQty": str(market.minimum), "maxQty": "120",
                     "stepSize": str(market.step)},
                    {"filterType": "MAX_NUM_ORDERS", "limit": 200},
                    {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
                    {"filterType": "MIN_NOTIONAL", "notional": str(market.notional)},
                    {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500",
                     "multiplierDecimal": "4"},
                ],
                "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
                               "TRAILING_STOP_MARKET"],
                "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD", "RPI"],
            })
        return Answer(200, {
            "timezone": "UTC", "serverTime": self.clock.ms(), "futuresType": "U_MARGINED",
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight_limit},
                {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self.order_limit_10s},
            ],
            "exchangeFilters": [], "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": rows,
        })

    def get_candles(self, given):
        return self.get_klines(given, 1500)

    def get_book(self, given):
        answer = self.get_depth(given, ((50, 2), (100, 5), (500, 10), (1000, 20)))
        now = self.clock.ms()
        answer.body = answer.body[:-1] + f',"E":{now},"T":{now}}}'.encode()
        return answer

    def get_best(self, given):
        market = self.market(given)
        bid, bid_qty, ask, ask_qty = market.book.best()
        return Answer(200, {
            "symbol": given["symbol"], "bidPrice": self.p(market, bid), "bidQty": self.q(market, bid_qty),
            "askPrice": self.p(market, ask), "askQty": self.q(market, ask_qty), "time": self.clock.ms(),
            "lastUpdateId": market.book.last,
        })

    def get_price(self, given):
        market = self.market(given)
        return Answer(200, {"symbol": given["symbol"], "price": self.p(market, market.price), "time": self.clock.ms()})

    def get_premium(self, given):
        market = self.market(given)
        price = amount(market.price)
        return Answer(200, {
            "symbol": given["symbol"], "markPrice": price, "indexPrice": price, "estimatedSettlePrice": price,
            "lastFundingRate": amount(self.rate), "interestRate": "0.00010000",
            "nextFundingTime": (self.clock.ms() // 28800000 + 1) * 28800000, "time": self.clock.ms(),
        })

    # ---------------------------------------------------------------- the account

    def get_restrictions(self, _):
        may = self.permissions
        return Answer(200, {
            "ipRestrict": may["bound"], "createTime": 1698645219000, "enableReading": may["read"],
            "enableWithdrawals": may["withdraw"], "enableInternalTransfer": may["transfer"], "enableMargin": False,
            "enableFutures": may["trade"], "permitsUniversalTransfer": may["transfer"],
            "enableVanillaOptions": False, "enableFixApiTrade": False, "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": False, "enablePortfolioMarginTrading": False,
        })

    def asset(self, name):
        book = self.book
        wallet, profit, used, held = book.total(name), book.profits(name), book.used(name), book.locked(name)
        need = sum((book.maintenance(m) for m in book.positions if m.quote == name), ZERO)
        free = amount(max(ZERO, book.free(name)))
        return {
            "asset": name, "walletBalance": amount(wallet), "unrealizedProfit": amount(profit),
            "marginBalance": amount(wallet + profit), "maintMargin": amount(need), "initialMargin": amount(used + held),
            "positionInitialMargin": amount(used), "openOrderInitialMargin": amount(held),
            "crossWalletBalance": amount(wallet), "crossUnPnl": amount(profit), "availableBalance": free,
            "maxWithdrawAmount": free, "updateTime": self.clock.ms(),
        }

    def get_account(self, _):
        row = self.asset("USDT")
        found = {"total" + name[0].upper() + name[1:]: row[name] for name in (
            "initialMargin", "maintMargin", "walletBalance", "unrealizedProfit", "marginBalance",
            "positionInitialMargin", "openOrderInitialMargin", "crossWalletBalance", "crossUnPnl")}
        found.update(availableBalance=row["availableBalance"], maxWithdrawAmount=row["maxWithdrawAmount"])
        found["assets"] = [self.asset(name) for name in self.book.balances]
        found["positions"] = [
            {
                "symbol": m.symbol.replace("-", ""), "positionSide": "BOTH", "positionAmt": self.q(m, p.qty),
                "unrealizedProfit": amount(self.book.profit(m)), "isolatedMargin": "0",
                "notional": amount(p.qty * m.price), "isolatedWallet": "0", "initialMargin": amount(self.book.margin(m)),
                "maintMargin": amount(self.book.maintenance(m)), "updateTime": int(p.updated * 1000),
            }
            for m, p in self.book.positions.items() if p.qty
        ]
        return Answer(200, found)

    def get_balance(self, _):
        rows = []
        for name in self.book.balances:
            row = self.asset(name)
            rows.append({
                "accountAlias": "SgsR", "asset": name, "balance": row["walletBalance"],
                "crossWalletBalance": row["crossWalletBalance"], "crossUnPnl": row["crossUnPnl"],
                "availableBalance": row["availableBalance"], "maxWithdrawAmount": row["maxWithdrawAmount"],
                "marginAvailable": True, "updateTime": row["updateTime"],
            })
        return Answer(200, rows)

    def risk(self, market, side="BOTH"):
        position = self.book.position(market)
        margin = self.book.margin(market)
        return {
            "symbol": market.symbol.replace("-", ""), "positionSide": side, "positionAmt": self.q(market, position.qty),
            "entryPrice": f"{position.entry:f}", "breakEvenPrice": f"{position.entry:f}",
            "markPrice": amount(market.price), "unRealizedProfit": amount(self.book.profit(market)),
            "liquidationPrice": amount(self.book.liquidation_price(market)), "isolatedMargin": "0",
            "notional": amount(position.qty * market.price), "marginAsset": market.quote, "isolatedWallet": "0",
            "initialMargin": amount(margin), "maintMargin": amount(self.book.maintenance(market)),
            "positionInitialMargin": amount(margin), "openOrderInitialMargin": "0", "adl": 2, "bidNotional": "0",
            "askNotional": "0", "updateTime": int(position.updated * 1000),
        }

    def get_positions(self, given):
        wanted = [self.market(given)] if "symbol" in given else list(self.book.markets.values())
        rows = [m for m in wanted if self.book.position(m).qty or self.book.open_orders(m)]
        if not self.hedged:
            return Answer(200, [self.risk(m) for m in rows])
        return Answer(200, [
            self.risk(m, "LONG" if self.book.position(m).qty >= 0 else "SHORT") for m in rows])

    def get_config(self, _):
        return Answer(200, {
            "feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True, "dualSidePosition": self.hedged,
            "updateTime": 0, "multiAssetsMargin": self.multi_assets, "tradeGroupId": -1,
        })

    def get_symbol_config(self, given):
        wanted = [self.market(given)] if "symbol" in given else list(self.book.markets.values())
        return Answer(200, [
            {
                "symbol": m.symbol.replace("-", ""),
                "marginType": "ISOLATED" if self.book.position(m).isolated else "CROSSED",
                "isAutoAddMargin": False, "leverage": self.book.position(m).leverage, "maxNotionalValue": "1000000",
            }
            for m in wanted
        ])

    def set_leverage(self, market, leverage):
        self.book.position(market).leverage = leverage
        for order in self.book.open_orders(market):
            self.book.hold(order)

    def post_leverage(self, given):
        market, leverage = self.market(given), self.integer(given, "leverage", 1, 0, 10**6)
        if not 1 <= leverage <= 125:
            raise self.refuse(-4028, f"Leverage {leverage} is not valid")
        self.set_leverage(market, leverage)
        return Answer(200, {"leverage": leverage, "maxNotionalValue": "1000000", "symbol": given["symbol"]})

    def post_margin(self, given):
        position = self.book.position(self.market(given))
        if given["marginType"] not in ("ISOLATED", "CROSSED"):
            raise self.refuse(-4045, "Invalid margin type")
        isolated = given["marginType"] == "ISOLATED"
        if isolated == position.isolated:
            raise self.refuse(-4046, "No need to change margin type.", violation=False)
        if position.qty:
            raise self.refuse(-4048, "Margin type cannot be changed if there exists position.", violation=False)
        position.isolated = isolated
        return Answer(200, {"code": 200, "msg": "success"})

    def get_dual(self, _):
        return Answer(200, {"dualSidePosition": self.hedged})

    def post_dual(self, given):
        wanted = given["dualSidePosition"] == "true"
        if wanted == self.hedged:
            raise self.refuse(-4059, "No need to change position side.", violation=False)
        if self.book.open_orders():
            raise self.refuse(-4067, "Position side cannot be changed if there exists open orders.", violation=False)
        if any(p.qty for p in self.book.positions.values()):
            raise self.refuse(-4068, "Position side cannot be changed if there exists position.", violation=False)
        self.hedged = wanted
        return Answer(200, {"code": 200, "msg": "success"})

    def post_countdown(self, given):
        market = self.market(given)
        wait = self.integer(given, "countdownTime", 0, 0, 10**10)
        self.book.guard(market, wait / 1000)
        return Answer(200, {"symbol": given["symbol"], "countdownTime": given["countdownTime"]})

    # ---------------------------------------------------------------- orders

    def check_side(self, given):
        if given["side"] not in ("BUY", "SELL"):
            raise self.refuse(-1117, "Invalid side.")
        side = given.get("positionSide", "BOTH")
        if self.hedged:
            if side not in ("LONG", "SHORT"):
                raise self.refuse(-4061, "Order's position side does not match user's setting.", violation=False)
            if "reduceOnly" in given:
                raise self.refuse(-1106, "Parameter 'reduceonly' sent when not required.", violation=False)
        elif side != "BOTH":
            raise self.refuse(-4061, "Order's position side does not match user's setting.")

    def check_client_id(self, given, name):
        if len(given.get(name, "")) > 36:
            raise self.refuse(-4015, "Client order id length should be less than 36 chars")
        if not CLIENT_ID.match(given.get(name, "x")):
            raise self.refuse(-1100, f"Illegal characters found in parameter '{name}'")
        return given.get(name) or f"web_{self.random.randrange(16**16):016x}"

    def check_price(self, market, name, value, limited):
        if value <= 0:
            raise self.refuse(-4001, "Price less than 0.")
        if value % market.tick:
            raise self.refuse(-4014, "Price not increased by tick size.")
        if limited and value > market.price * Decimal("1.05"):
            raise self.refuse(-4016, f"Limit price can't be higher than {market.price * Decimal('1.05')}.")
        if limited and value < market.price * Decimal("0.95"):
            raise self.refuse(-4024, f"Limit price can't be lower than {market.price * Decimal('0.95')}.")

    def check_qty(self, market, qty, price, reduces):
        if qty <= 0:
            raise self.refuse(-4003, "Quantity less than or equal to zero.")
        if qty < market.minimum:
            raise self.refuse(-4004, "Quantity less than min quantity.")
        if qty > 1000:
            raise self.refuse(-4005, "Quantity greater than max quantity.")
        if qty % market.step:
            raise self.refuse(-1111, "Precision is over the maximum defined for this asset.")
        if not reduces and qty * price < market.notional:
            raise self.refuse(
                -4164, f"Order's notional must be no smaller than {market.notional} (unless you choose reduce only).")

    def flag(self, given, name):
        if given.get(name, "false").lower() not in ("true", "false"):
            raise self.refuse(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return given.get(name, "false").lower() == "true"

    def check_order(self, given):
        market = self.market(given)
        self.check_side(given)
        if given["type"] in CONDITIONAL:
            raise self.refuse(
                -4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
        if given["type"] not in ("LIMIT", "MARKET"):
            raise self.refuse(-1116, "Invalid orderType.")
        limited = given["type"] == "LIMIT"
        for name in ("quantity",) + (("timeInForce", "price") if limited else ()):
            if name not in given:
                raise self.refuse(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        extra = ("stopPrice", "closePosition", "activationPrice", "callbackRate", "workingType", "priceProtect")
        for name in extra + (() if limited else ("price", "timeInForce", "goodTillDate")):
            if name in given:
                raise self.refuse(-1106, f"Parameter '{name}' sent when not required.")
        tif = given.get("timeInForce", "GTC")
        if tif not in ("GTC", "IOC", "FOK", "GTX", "GTD"):
            raise self.refuse(-1115, "Invalid timeInForce.")
        if (tif == "GTD") != ("goodTillDate" in given):
            raise self.refuse(-1102, "Mandatory parameter 'goodTillDate' was not sent, was empty/null, or malformed.")
        if tif == "GTD" and self.integer(given, "goodTillDate", 0, 0, 10**15) < self.clock.ms() + 600000:
            raise self.refuse(-4040, "goodTillDate is too soon")
        if given.get("newOrderRespType", "ACK") not in ("ACK", "RESULT"):
            raise self.refuse(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
        price, qty = self.number(given, "price"), self.number(given, "quantity")
        reduces = self.flag(given, "reduceOnly")
        if limited:
            self.check_price(market, "price", price, True)
        self.check_qty(market, qty, price or market.price, reduces)
        if len(self.book.open_orders(market)) >= 200:
            raise self.refuse(-2025, "Reach max open order limit.")
        return Order(
            market, given["side"] == "BUY", "limit" if limited else "market", qty, price=price,
            client_id=self.check_client_id(given, "newClientOrderId"),
            time_in_force="GTC" if tif in ("GTX", "GTD") else tif, post_only=tif == "GTX", reduce_only=reduces,
            venue={"type": given["type"], "tif": tif, "side": given.get("positionSide", "BOTH")},
        )

    def test_order(self, given):
        self.check_order(given)
        return Answer(200, {})

    def put(self, order):
        """Places it, or refuses in the venue's words."""
        try:
            if order.time_in_force == "FOK" and not (self.book.reached(order) and self.book.enough(order)):
                raise Refusal("killed")
            self.book.place(order)
        except Refusal as why:
            code, text = REFUSALS[why.kind]
            raise self.refuse(code, text, violation=False) from None

    def post_order(self, given):
        order = self.check_order(given)
        order.marks.update(self.marks)
        self.check_order_limit()
        self.put(order)
        if given.get("newOrderRespType", "ACK") == "RESULT":
            return Answer(200, self.row(order))
        row = self.row(order)
        row.update(status="NEW", executedQty="0", cumQty="0", cumQuote="0", avgPrice="0.00")
        return Answer(200, row)

    def row(self, order):
        market = order.market
        average = order.cost / order.filled if order.filled else ZERO
        return {
            "orderId": order.id, "symbol": market.symbol.replace("-", ""), "status": STATES[order.state],
            "clientOrderId": order.client_id, "price": self.p(market, order.price), "avgPrice": f"{average:.5f}",
            "origQty": self.q(market, order.qty), "executedQty": self.q(market, order.filled),
            "cumQty": self.q(market, order.filled), "cumQuote": amount(order.cost),
            "timeInForce": order.venue.get("tif", "GTC"), "type": order.venue.get("type", "LIMIT"),
            "reduceOnly": order.reduce_only, "closePosition": False, "side": "BUY" if order.buys else "SELL",
            "positionSide": order.venue.get("side", "BOTH"), "stopPrice": self.p(market, order.stop_price),
            "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": order.venue.get("type", "LIMIT"),
            "priceMatch": "NONE", "selfTradePreventionMode": "EXPIRE_MAKER", "goodTillDate": 0,
            "time": int(order.created * 1000), "updateTime": int(order.updated * 1000),
        }

    def find(self, given):
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
        age = 0 if order is None else self.clock.shown() - order.updated
        if order is None or not order.open and age > (90 if order.filled else 3) * 86400:
            raise self.refuse(-2013, "Order does not exist.", violation=False)
        return Answer(200, self.row(order))

    def delete_order(self, given):
        order = self.find(given)
        if order is not None and order.open:
            self.race(order)
        if order is None or not order.open:
            raise self.refuse(-2011, "Unknown order sent.", violation=False)
        self.book.cancel(order)
        return Answer(200, self.row(order))

    def delete_open(self, given):
        for order in self.book.open_orders(self.market(given)):
            self.book.cancel(order)
        return Answer(200, {"code": 200, "msg": "The operation of cancel all open order is done."})

    def get_open(self, given):
        if "symbol" not in given:
            self.charge(39)
        market = self.market(given) if "symbol" in given else None
        return Answer(200, [self.row(o) for o in self.book.open_orders(market) if self.book.visible(o)])

    def window(self, given):
        first = self.integer(given, "startTime", None, 10**11, 10**15)
        last = self.integer(given, "endTime", None, 10**11, 10**15)
        if first is not None and last is not None and last - first >= 7 * 86400000:
            raise self.refuse(-4165, "Maximum time interval is 7 days.")
        if last is None:
            last = (first + 7 * 86400000) if first is not None else self.clock.ms() + 1000
        if first is None:
            first = last - 7 * 86400000
        return first / 1000, (last + 1) / 1000

    def get_all(self, given):
        market, limit = self.market(given), self.integer(given, "limit", 500, 1, 1000)
        first, last = self.window(given)
        low = self.integer(given, "orderId", 0, 0, 2**63)
        found = [
            self.row(o) for o in self.book.orders.values()
            if o.market is market and o.id >= low and first <= o.created < last and self.book.visible(o)
        ]
        return Answer(200, found[:limit] if low or "startTime" in given else found[-limit:])

    def get_forced(self, given):
        """Liquidations and auto-deleveraging of the last seven days; settlements are not among them."""
        if "symbol" not in given:
            self.charge(30)
        market = self.market(given) if "symbol" in given else None
        begins = {"LIQUIDATION": ("autoclose-",), "ADL": ("adl_autoclose",)}
        if given.get("autoCloseType", "ADL") not in begins:
            raise self.refuse(-1130, "Data sent for parameter 'autoCloseType' is not valid.")
        wanted = begins.get(given.get("autoCloseType"), ("autoclose-", "adl_autoclose"))
        limit = self.integer(given, "limit", 50, 1, 100)
        first, last = self.window(given)
        first = max(first, self.clock.shown() - 7 * 86400)
        rows = [
            self.row(o) for o in self.book.orders.values()
            if o.venue.get("forced") and o.client_id.startswith(wanted) and market in (None, o.market)
            and first <= o.created < last and self.book.visible(o)
        ][:limit]
        for row in rows:
            for name in ("priceMatch", "selfTradePreventionMode", "goodTillDate", "priceProtect"):
                del row[name]
        return Answer(200, rows)

    def get_trades(self, given):
        market, limit = self.market(given), self.integer(given, "limit", 500, 1, 1000)
        if "fromId" in given and ("startTime" in given or "endTime" in given):
            raise self.refuse(-1128, "Combination of optional parameters invalid.")
        first, last = self.window(given)
        low = self.integer(given, "fromId", 0, 0, 2**63)
        number = self.integer(given, "orderId", None, 0, 2**63)
        found = [
            {
                "buyer": f.order.buys, "commission": amount(f.fee), "commissionAsset": f.fee_currency, "id": f.id,
                "maker": f.maker, "orderId": f.order.id, "price": self.p(market, f.price), "qty": self.q(market, f.qty),
                "quoteQty": amount(f.cost), "realizedPnl": amount(f.realised),
                "side": "BUY" if f.order.buys else "SELL", "positionSide": "BOTH", "symbol": given["symbol"],
                "time": int(f.at * 1000),
            }
            for f in self.book.fills
            if f.order.market is market and f.id >= low and number in (None, f.order.id)
            and (low or first <= f.at < last) and self.book.visible(f.order)
        ]
        return Answer(200, found[:limit] if low or "startTime" in given else found[-limit:])

    def get_income(self, given):
        limit = self.integer(given, "limit", 100, 1, 1000)
        first, last = self.window(given)
        market = self.market(given) if "symbol" in given else None
        rows = [
            {
                "symbol": row["market"].symbol.replace("-", ""), "incomeType": row["kind"],
                "income": amount(row["amount"]), "asset": row["market"].quote, "info": row["kind"],
                "time": int(row["at"] * 1000), "tranId": row["id"], "tradeId": str(row["trade"] or ""),
            }
            for row in self.book.income
            if given.get("incomeType") in (None, row["kind"]) and market in (None, row["market"])
            and first <= row["at"] < last
        ]
        page_number = self.integer(given, "page", 1, 1, 10**6)
        rows = rows[(page_number - 1) * limit : page_number * limit]
        return Answer(200, rows)

    # ---------------------------------------------------------------- the stream of the account

    def post_key(self, _):
        if self.listen_key is None or self.clock.now() >= self.listen_until:
            self.listen_key = "".join(self.random.choice("abcdefghijkmnpqrstuvwxyzABCDEFGH23456789") for _ in range(64))
        self.listen_until = self.clock.now() + LISTEN_KEY_SECONDS
        return Answer(200, {"listenKey": self.listen_key})

    def put_key(self, _):
        if self.listen_key is None or self.clock.now() >= self.listen_until:
            raise self.refuse(-1125, "This listenKey does not exist.", violation=False)
        return self.post_key(_)

    def delete_key(self, _):
        self.listen_key = None
        return Answer(200, {})

    def expire_key(self):
        """The socket stays open, and says nothing from then on."""
        now = self.clock.ms()
        self.send_user({"e": "listenKeyExpired", "E": str(now), "listenKey": self.listen_key})
        for socket in self.sockets:
            self.met_user("expire", socket)
            socket.user = None
        self.listen_key = None

    def second(self):
        super().second()
        if self.listen_key is not None and self.clock.now() >= self.listen_until:
            self.expire_key()

    def events(self, what, order, fill):
        now, market = self.clock.ms(), order.market
        kind = {"fill": "TRADE", "new": "NEW", "cancelled": "CANCELED", "expired": "EXPIRED", "forced": "CALCULATED"}[what]
        body = {
            "s": market.symbol.replace("-", ""), "c": order.client_id, "S": "BUY" if order.buys else "SELL",
            "o": "LIQUIDATION" if what == "forced" else order.venue.get("type", "LIMIT"),
            "f": order.venue.get("tif", "GTC"), "q": self.q(market, order.qty), "p": self.p(market, order.price),
            "ap": f"{order.cost / order.filled if order.filled else ZERO:.5f}", "sp": self.p(market, order.stop_price),
            "x": kind, "X": STATES[order.state], "i": order.id, "l": self.q(market, fill.qty if fill else ZERO),
            "z": self.q(market, order.filled), "L": self.p(market, fill.price if fill else ZERO),
            "T": int(order.updated * 1000), "t": fill.id if fill else 0, "b": "0", "a": "0",
            "m": bool(fill and fill.maker), "R": order.reduce_only, "wt": "CONTRACT_PRICE",
            "ot": order.venue.get("type", "LIMIT"), "ps": order.venue.get("side", "BOTH"), "cp": False,
            "rp": amount(fill.realised) if fill else "0", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER",
            "pm": "NONE", "gtd": 0, "er": "0",
        }
        if fill:
            body.update(n=amount(fill.fee), N=fill.fee_currency)
        report = {"e": "ORDER_TRADE_UPDATE", "E": now, "T": int(order.updated * 1000), "o": body}
        return [self.account_update("ORDER", market), report] if fill else [report]

    def account_update(self, reason, market, payment=ZERO):
        position = self.book.position(market)
        now = self.clock.ms()
        wallet = amount(self.book.total(market.quote))
        row = {
            "s": market.symbol.replace("-", ""), "pa": self.q(market, position.qty), "ep": f"{position.entry:f}",
            "bep": f"{position.entry:f}", "cr": "0", "up": amount(self.book.profit(market)),
            "mt": "isolated" if position.isolated else "cross", "iw": "0", "ps": "BOTH",
        }
        return {
            "e": "ACCOUNT_UPDATE", "E": now, "T": now,
            "a": {"m": reason, "B": [{"a": market.quote, "wb": wallet, "cw": wallet, "bc": amount(-payment)}],
                  "P": [] if reason == "FUNDING_FEE" else [row]},
        }

    def send_user(self, event):
        for socket in self.sockets:
            if socket.user is not None:
                plain = json.dumps(event, separators=(",", ":"))
                socket.send(f'{{"stream":"{socket.user}","data":{plain}}}' if socket.wrapped else plain)

    # ---------------------------------------------------------------- prices, funding, liquidation

    def set_price(self, market, price):
        super().set_price(market, price)
        self.trigger_algos(market)
        if self.book.under_water(market.quote):
            self.book.liquidate(market.quote)
            self.called = False
        elif not self.called and self.close_to_water(market.quote):
            self.called = True
            self.margin_call(market)

    def close_to_water(self, currency):
        need = sum((self.book.maintenance(m) for m in self.book.positions), ZERO)
        return need > 0 and self.book.total(currency) + self.book.profits(currency) < need * Decimal("1.3")

    def margin_call(self, market):
        position = self.book.position(market)
        self.send({
            "e": "MARGIN_CALL", "E": self.clock.ms(), "cw": amount(self.book.total(market.quote)),
            "p": [{
                "s": market.symbol.replace("-", ""), "ps": "BOTH", "pa": self.q(market, position.qty), "mt": "CROSSED",
                "iw": "0", "mp": amount(market.price), "up": amount(self.book.profit(market)),
                "mm": amount(self.book.maintenance(market)),
            }],
        })

    def fund_all(self):
        for market in self.book.markets.values():
            self.fund(market, self.rate)

    def fund(self, market, rate):
        payment = self.book.fund(market, rate)
        if payment:
            self.send(self.account_update("FUNDING_FEE", market, payment))

    # ---------------------------------------------------------------- sockets

    def connect(self, socket, request):
        match = re.fullmatch(r"(/public|/market|/private)?/(ws(/.*)?|stream)", request.path)
        if not match:
            self.violation("connect", f"no such path {request.path}")
            return page(404, "404 Not Found")
        socket.side = (match.group(1) or "/none")[1:]
        query = dict(parse_qsl(request.query))
        if socket.side != "private":
            return self.public_connect(socket, request)
        socket.wrapped = match.group(2) == "stream"
        key = query.get("listenKey") or (match.group(3) or "/")[1:]
        if key != self.listen_key:
            self.violation("connect", "an unknown listen key")
        else:
            socket.user = key
            self.silent = False
        if self.replay:
            self.replay = False
            self.meet("replay")
            for made in self.book.fills:
                self.pending.extend((made.order, event) for event in self.events("fill", made.order, made))
        return None

    def routed(self, socket, name):
        wanted = "public" if re.search("bookTicker|depth", name) else "market"
        return socket.side == wanted or socket.side == "none" and wanted == "public"

    def message(self, socket, text):
        self.public_message(socket, text)
        wrong = [name for name in socket.subscribed if not self.routed(socket, name)]
        if wrong:
            self.violation("stream", f"{wrong} say nothing at /{socket.side}")

    def finish_update(self, market, update, now):
        update["T"] = now
        update["pu"] = update["U"] - 1

    def finish_ticker(self, ticker, now):
        ticker.update(e="bookTicker", E=now, T=now)

    def publish(self, market, what, **values):
        super().publish(market, what, **values)
        if what == "candle":
            name, price, now = market.symbol.replace("-", ""), amount(market.price), self.clock.ms()
            for end in ("", "@1s"):
                self.to_public(f"{name.lower()}@markPrice{end}", {
                    "e": "markPriceUpdate", "E": now, "s": name, "p": price, "i": price, "P": price,
                    "r": amount(self.rate), "T": (now // 28800000 + 1) * 28800000,
                })

    def control(self, word, words):
        market = self.book.markets.get(words[0]) if words else None
        if word == "hedge" and len(words) == 1:
            self.hedged = {"on": True, "off": False}[words[0]]
        elif word == "multi-assets" and len(words) == 1:
            self.multi_assets = {"on": True, "off": False}[words[0]]
        elif word == "funding" and len(words) == 2:
            self.fund(market, Decimal(words[1]))
        elif word == "rate" and len(words) == 1:
            self.rate = Decimal(words[0])
        elif word == "leverage" and len(words) == 2:
            self.set_leverage(market, int(words[1]))
        elif word == "liquidate" and not words:
            self.book.liquidate("USDT")
        elif word == "deleverage" and len(words) == 1:
            self.book.close_by_force(market, "adl_autoclose")
        elif word == "settle" and len(words) == 1:
            self.book.close_by_force(market, f"settlement_autoclose-{self.clock.ms()}")
        elif word == "margin-call" and len(words) == 1:
            self.margin_call(market)
        elif word == "expire" and not words:
            self.expire_key()
        elif word == "refuse-algo" and len(words) == 1:
            self.algo_refused += int(words[0])
        elif word == "transfer" and len(words) == 2:
            self.book.add(words[0], Decimal(words[1]))
            first = next(m for m in self.book.markets.values() if m.quote == words[0])
            self.send(self.account_update("DEPOSIT", first, -Decimal(words[1])))
        else:
            return super().control(word, words)
        return True

    def state(self):
        found = super().state()
        found.update(hedged=self.hedged, algos=list(self.algos.values()))
        return found


def keys():
    return f"{KEY}\n{SECRET}\n\n{ED_KEY}\n{pem(ED_SEED)}"


VENUE = Futures
