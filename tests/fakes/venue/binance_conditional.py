"""Conditional orders of Binance's futures: they are apart from the others, with ids of their own."""

from decimal import Decimal

from matching import ZERO, Order, Refusal
from server import Answer

REFUSALS = {
    "insufficient": (-2019, "Margin is insufficient."),
    "duplicate": (-4116, "ClientOrderId is duplicated."),
    "would_take": (-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected. "
                   "The order will not be recorded in the order history"),
    "would_trigger": (-2021, "Order would immediately trigger."),
    "closed": (-4140, "Invalid symbol status for opening position."),
    "reduce_only": (-2022, "ReduceOnly Order is rejected."),
    "killed": (-5021, "Due to the order could not be filled immediately, the FOK order has been rejected. The order "
               "will not be recorded in the order history"),
}
CONDITIONAL = {
    "STOP_MARKET": ("stop", False), "STOP": ("stop", True), "TAKE_PROFIT_MARKET": ("target", False),
    "TAKE_PROFIT": ("target", True), "TRAILING_STOP_MARKET": (None, False),
}


class Conditional:
    """Part of the venue Futures."""

    def post_algo(self, given):
        market = self.market(given)
        self.check_side(given)
        if given["algoType"] != "CONDITIONAL":
            raise self.refuse(-1130, "Data sent for parameter 'algoType' is not valid.")
        if given["type"] not in CONDITIONAL or given["type"] == "TRAILING_STOP_MARKET":
            raise self.refuse(-1116, "Invalid orderType.")
        kind, limited = CONDITIONAL[given["type"]]
        whole = self.flag(given, "closePosition")
        for name in ("triggerPrice",) + (("price",) if limited else ()) + (() if whole else ("quantity",)):
            if name not in given:
                raise self.refuse(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        if whole and ("quantity" in given or "reduceOnly" in given or limited):
            raise self.refuse(-4136, "Target strategy invalid for orderType, closePosition true.")
        for name in ("stopPrice", "newClientOrderId") + (() if limited else ("price",)):
            if name in given:
                raise self.refuse(-1106, f"Parameter '{name}' sent when not required.")
        if given.get("workingType", "CONTRACT_PRICE") not in ("CONTRACT_PRICE", "MARK_PRICE"):
            raise self.refuse(-1130, "Data sent for parameter 'workingType' is not valid.")
        trigger, price = self.number(given, "triggerPrice"), self.number(given, "price")
        self.check_price(market, "triggerPrice", trigger, False)
        reduces = whole or self.flag(given, "reduceOnly")
        if not whole:
            self.check_qty(market, self.number(given, "quantity"), trigger, reduces)
        name = self.check_client_id(given, "clientAlgoId")
        if any(a["clientAlgoId"] == name and a["algoStatus"] == "NEW" for a in self.algos.values()):
            raise self.refuse(-4116, "ClientOrderId is duplicated.", violation=False)
        order = Order(market, given["side"] == "BUY", kind, self.number(given, "quantity"), stop_price=trigger)
        try:
            self.book.check_trigger(order)
        except Refusal as why:
            raise self.refuse(*REFUSALS[why.kind], violation=False) from None
        if whole and any(
            a["closePosition"] and a["side"] == given["side"] and a["orderType"] == given["type"]
            and a["algoStatus"] == "NEW" and a["symbol"] == given["symbol"] for a in self.algos.values()
        ):
            raise self.refuse(-4130, "An open stop or take profit order with GTE and closePosition in the direction is "
                              "existing.", violation=False)
        self.last_algo += 1
        now = self.clock.ms()
        self.algos[self.last_algo] = algo = {
            "algoId": self.last_algo, "clientAlgoId": name, "algoType": "CONDITIONAL", "orderType": given["type"],
            "symbol": given["symbol"], "side": given["side"], "positionSide": given.get("positionSide", "BOTH"),
            "timeInForce": given.get("timeInForce", "GTC"), "quantity": self.q(market, order.qty),
            "algoStatus": "NEW", "actualOrderId": "", "actualPrice": "0.00000", "triggerPrice": self.p(market, trigger),
            "price": self.p(market, price), "icebergQuantity": None, "selfTradePreventionMode": "EXPIRE_MAKER",
            "workingType": given.get("workingType", "CONTRACT_PRICE"), "priceMatch": "NONE", "closePosition": whole,
            "priceProtect": self.flag(given, "priceProtect"), "reduceOnly": reduces, "createTime": now,
            "updateTime": now, "triggerTime": 0, "goodTillDate": 0,
        }
        self.algo_event(algo)
        return Answer(200, {**algo, "activatePrice": "", "callbackRate": ""})

    def algo_event(self, algo):
        now = self.clock.ms()
        algo["updateTime"] = now
        body = {
            "caid": algo["clientAlgoId"], "aid": algo["algoId"], "at": "CONDITIONAL", "o": algo["orderType"],
            "s": algo["symbol"], "S": algo["side"], "ps": algo["positionSide"], "f": algo["timeInForce"],
            "q": algo["quantity"], "X": algo["algoStatus"], "ai": str(algo["actualOrderId"]), "tp": algo["triggerPrice"],
            "p": algo["price"], "V": "EXPIRE_MAKER", "wt": algo["workingType"], "pm": "NONE",
            "cp": algo["closePosition"], "pP": algo["priceProtect"], "R": algo["reduceOnly"],
            "tt": algo["triggerTime"], "gtd": 0, "rm": algo.get("reason", ""),
        }
        self.pending.append((Order(self.name_of[algo["symbol"]], True, "market", ZERO), {
            "e": "ALGO_UPDATE", "T": now, "E": now, "o": body}))

    def find_algo(self, given):
        for algo in reversed(self.algos.values()):
            if given.get("algoId") == str(algo["algoId"]) or given.get("clientAlgoId") == algo["clientAlgoId"]:
                return algo
        return None

    def get_algo(self, given):
        algo = self.find_algo(given)
        if algo is None:
            raise self.refuse(-2013, "Order does not exist.", violation=False)
        return Answer(200, algo)

    def get_algos(self, given):
        return Answer(200, [
            a for a in self.algos.values()
            if a["algoStatus"] == "NEW" and given.get("symbol") in (None, a["symbol"])
            and given.get("algoId") in (None, str(a["algoId"]))
        ])

    def drop_algo(self, algo, status):
        algo["algoStatus"] = status
        self.algo_event(algo)

    def delete_algo(self, given):
        algo = self.find_algo(given)
        if algo is not None and algo["algoStatus"] == "NEW" and self.marks.pop("fill-first", None):
            self.meet("fill-first")
            self.trigger_algo(algo)
        if algo is None or algo["algoStatus"] != "NEW":
            raise self.refuse(-2011, "Unknown order sent.", violation=False)
        self.drop_algo(algo, "CANCELED")
        return Answer(200, {
            "algoId": algo["algoId"], "clientAlgoId": algo["clientAlgoId"], "code": "200", "msg": "success"})

    def delete_algos(self, given):
        for algo in self.algos.values():
            if algo["symbol"] == given["symbol"] and algo["algoStatus"] == "NEW":
                self.drop_algo(algo, "CANCELED")
        return Answer(200, {"code": 200, "msg": "The operation of cancel all open order is done."})

    def trigger_algos(self, market):
        for algo in list(self.algos.values()):
            if algo["algoStatus"] != "NEW" or algo["symbol"] != market.symbol.replace("-", ""):
                continue
            kind, _ = CONDITIONAL[algo["orderType"]]
            watch = Order(market, algo["side"] == "BUY", kind, ZERO, stop_price=Decimal(algo["triggerPrice"]))
            if self.book.passed(watch):
                self.trigger_algo(algo)

    def trigger_algo(self, algo):
        market = self.name_of[algo["symbol"]]
        _, limited = CONDITIONAL[algo["orderType"]]
        buys, position = algo["side"] == "BUY", self.book.position(market).qty
        algo["triggerTime"] = self.clock.ms()
        self.drop_algo(algo, "TRIGGERING")
        order = Order(
            market, buys, "limit" if limited else "market",
            abs(position) if algo["closePosition"] else Decimal(algo["quantity"]),
            price=Decimal(algo["price"]) if limited else ZERO, reduce_only=algo["reduceOnly"],
            client_id=algo["clientAlgoId"],
            venue={"type": "LIMIT" if limited else "MARKET", "tif": "GTC", "side": "BOTH"},
        )
        try:
            if self.algo_refused:
                self.algo_refused -= 1
                self.meet("refuse-algo")
                raise Refusal("insufficient")
            if algo["closePosition"] and (not position or (position > 0) == buys):
                self.drop_algo(algo, "EXPIRED")
                return
            self.book.place(order)
            algo["actualOrderId"] = str(order.id)
            self.drop_algo(algo, "TRIGGERED")
            if not order.open:
                self.drop_algo(algo, "FINISHED")
        except Refusal as why:
            algo["reason"] = REFUSALS[why.kind][1]
            self.drop_algo(algo, "REJECTED")
