"""Lists of orders at Binance spot: OCO, OTO, OTOCO; and cancel-and-replace. Part of the venue Spot."""

from binance_rules import CLIENT_ID
from matching import Refusal
from server import Answer
from venue import Refused, Route

LEG = ("Type", "ClientOrderId", "Price", "StopPrice", "TimeInForce", "IcebergQty", "TrailingDelta", "StrategyId", "StrategyType")
LIMITS = ("LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")


def fields(prefix, *names):
    return tuple(prefix + name for name in (*LEG, *names))


class OrderList:
    def __init__(self, number, client_id, kind, market, at):
        self.id, self.client_id, self.kind, self.market, self.at = number, client_id, kind, market, at
        self.working, self.legs = None, []
        self.done = False

    @property
    def orders(self):
        return ([self.working] if self.working else []) + self.legs


class Lists:
    def list_routes(self):
        common = ("listClientOrderId", "newOrderRespType", "selfTradePreventionMode")
        oco = (*common, *fields("above"), *fields("below"))
        oto = (*common, *fields("working", "Side", "Quantity"), *fields("pending", "Side", "Quantity"))
        otoco = (*common, *fields("working", "Side", "Quantity"), "pendingSide", "pendingQuantity",
                 *fields("pendingAbove"), *fields("pendingBelow"))
        one = ("orderListId", "listClientOrderId", "newClientOrderId")
        working = ("workingType", "workingSide", "workingPrice", "workingQuantity", "pendingSide", "pendingQuantity")
        replace = ("cancelNewClientOrderId", "cancelOrigClientOrderId", "cancelOrderId", "cancelRestrictions",
                   "orderRateLimitExceededMode")
        place = self.routes_of_orders[0]
        return {
            ("POST", "/api/v3/orderList/oco"): Route(
                "place", self.post_oco, 0, ("symbol", "side", "quantity", "aboveType", "belowType"), oco, True),
            ("POST", "/api/v3/orderList/oto"): Route(
                "place", self.post_oto, 0, ("symbol", *working, "pendingType"), oto, True),
            ("POST", "/api/v3/orderList/otoco"): Route(
                "place", self.post_oto, 0, ("symbol", *working, "pendingAboveType", "pendingBelowType"), otoco, True),
            ("DELETE", "/api/v3/orderList"): Route("cancel", self.delete_list, 0, ("symbol",), one, True),
            ("GET", "/api/v3/orderList"): Route("query", self.get_list, 4, (), ("orderListId", "origClientOrderId"), True),
            ("GET", "/api/v3/openOrderList"): Route("open", self.get_open_lists, 6, (), (), True),
            ("POST", "/api/v3/order/cancelReplace"): Route(
                "amend", self.post_replace, 0, (*place.needed, "cancelReplaceMode"), (*place.optional, *replace), True),
        }

    def leg(self, given, prefix, side, quantity):
        """An order of the list, checked like one of its own."""
        names = {"Type": "type", "ClientOrderId": "newClientOrderId", "Price": "price", "StopPrice": "stopPrice",
                 "TimeInForce": "timeInForce", "IcebergQty": "icebergQty", "TrailingDelta": "trailingDelta"}
        values = {mine: given[prefix + name] for name, mine in names.items() if prefix + name in given}
        return self.check_order({"symbol": given["symbol"], "side": side, "quantity": quantity, **values})

    def pair(self, given, above, below, side, quantity):
        """Two exits, of which one is a limit or target and the other a stop."""
        kinds = given[above + "Type"], given[below + "Type"]
        stops = [kind in STOPS for kind in kinds]
        if sum(stops) != 1 or any(kind not in (*LIMITS, *STOPS) for kind in kinds):
            raise self.refuse(-1158, "Order type not supported in OCO.")
        if stops[0] != (side == "BUY"):
            raise self.refuse(-1196 if side == "BUY" else -1197, "A stop loss order is on the wrong side.")
        legs = [self.leg(given, prefix, side, quantity) for prefix in (above, below)]
        over, under = (leg.stop_price or leg.price for leg in legs)
        if not under < over:
            raise self.refuse(-2010, "The relationship of the prices for the orders is not correct.", violation=False)
        legs[0].siblings, legs[1].siblings = [legs[1]], [legs[0]]
        return legs

    def new_list(self, given, kind, orders):
        name = given.get("listClientOrderId") or f"x-{self.random.randrange(16**20):020x}"
        if not CLIENT_ID.match(name):
            raise self.refuse(-1100, "Illegal characters found in parameter 'listClientOrderId'")
        if any(one.client_id == name and not one.done for one in self.lists.values()):
            raise self.refuse(-2010, "Duplicate order sent.", violation=False)
        number = len(self.lists) + 1
        self.lists[number] = made = OrderList(number, name, kind, self.market(given), self.clock.shown())
        for order in orders:
            order.venue["list"] = made
            order.marks.update(self.marks)
        for _ in orders:
            self.check_order_limit()
        return made

    def list_answer(self, made):
        return {
            "orderListId": made.id, "contingencyType": made.kind,
            "listStatusType": "ALL_DONE" if made.done else "EXEC_STARTED",
            "listOrderStatus": "ALL_DONE" if made.done else "EXECUTING", "listClientOrderId": made.client_id,
            "transactionTime": int(made.at * 1000), "symbol": made.market.symbol.replace("-", ""),
            "orders": [{"symbol": o.market.symbol.replace("-", ""), "orderId": o.id, "clientOrderId": o.client_id}
                       for o in made.orders],
        }

    def list_event(self, made):
        body = self.list_answer(made)
        now = self.clock.ms()
        return {
            "e": "listStatus", "E": now, "s": body["symbol"], "g": made.id, "c": made.kind, "l": body["listStatusType"],
            "L": body["listOrderStatus"], "r": "NONE", "C": made.client_id, "T": now,
            "O": [{"s": o["symbol"], "i": o["orderId"], "c": o["clientOrderId"]} for o in body["orders"]],
        }

    def told(self, made):
        return Answer(200, {**self.list_answer(made), "orderReports": [self.row(o) for o in made.orders]})

    def put_or_refuse(self, order):
        try:
            self.book.place(order)
        except Refusal as why:
            code, text = self.words_of(why)
            raise self.refuse(code, text, violation=False) from None

    def post_oco(self, given):
        legs = self.pair(given, "above", "below", given["side"], given["quantity"])
        made = self.new_list(given, "OCO", legs)
        made.legs = legs
        limit_first = sorted(legs, key=lambda o: o.kind == "stop")
        try:
            self.put_or_refuse(limit_first[0])
            if limit_first[0].open:
                self.put_or_refuse(limit_first[1])
        except Refused:
            for order in legs:
                if order.id and order.open:
                    self.book.cancel(order)
            made.done = True
            raise
        self.pending.append((legs[0], self.list_event(made)))
        return self.told(made)

    def post_oto(self, given):
        if given["workingType"] not in ("LIMIT", "LIMIT_MAKER"):
            raise self.refuse(-1116, "Invalid orderType.")
        side, quantity = given["pendingSide"], given["pendingQuantity"]
        working = self.leg(given, "working", given["workingSide"], given["workingQuantity"])
        if "pendingType" in given:
            legs = [self.leg(given, "pending", side, quantity)]
        else:
            legs = self.pair(given, "pendingAbove", "pendingBelow", side, quantity)
        made = self.new_list(given, "OTO", [working, *legs])
        made.working, made.legs = working, legs
        try:
            self.put_or_refuse(working)
        except Refused:
            made.done = True
            raise
        if working.state != "filled":
            for leg in legs:
                self.book.wait(leg)
        self.pending.append((working, self.list_event(made)))
        return self.told(made)

    def follow_list(self, order):
        """After an event of an order: its list goes on, or ends."""
        made = order.venue.get("list")
        if made is None or made.done:
            return
        if order is made.working:
            if order.state == "filled":
                for leg in made.legs:
                    self.activate(leg)
            elif not order.open:
                made.done = True
                for leg in made.legs:
                    if leg.state == "waiting":
                        self.book.finish(leg, "expired")
        elif all(leg.id and not leg.open and leg.state != "waiting" for leg in made.legs):
            made.done = True
        if made.done:
            self.pending.append((order, self.list_event(made)))

    def activate(self, leg):
        """A pending leg goes to work once the working one is filled as a whole; it may be refused then."""
        if any(other.state not in ("new", "waiting") for other in leg.siblings) or leg.id and leg.state != "waiting":
            return
        try:
            self.book.place(leg)
        except Refusal:
            self.book.accept(leg)
            self.book.finish(leg, "rejected", "refused when the entry was filled")

    def find_list(self, given, name):
        for made in reversed(self.lists.values()):
            if given.get("orderListId") == str(made.id) or given.get(name) == made.client_id:
                return made
        return None

    def delete_list(self, given):
        made = self.find_list(given, "listClientOrderId")
        if made is None or made.done:
            raise self.refuse(-2011, "Unknown order list sent.", violation=False)
        for order in made.orders:
            if order.open or order.state == "waiting":
                self.book.finish(order, "cancelled")
        made.done = True
        self.pending.append((made.orders[0], self.list_event(made)))
        return self.told(made)

    def get_list(self, given):
        made = self.find_list(given, "origClientOrderId")
        if made is None:
            raise self.refuse(-2018, "Order list does not exist.", violation=False)
        return Answer(200, self.list_answer(made))

    def get_open_lists(self, _):
        return Answer(200, [self.list_answer(made) for made in self.lists.values() if not made.done])

    def post_replace(self, given):
        """Both done: 200; one of them: 409 and -2021; none: 400 and -2022."""
        if given["cancelReplaceMode"] not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise self.refuse(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
        old = {"symbol": given["symbol"]}
        for name, mine in (("cancelOrderId", "orderId"), ("cancelOrigClientOrderId", "origClientOrderId"),
                           ("cancelNewClientOrderId", "newClientOrderId")):
            if name in given:
                old[mine] = given[name]
        new = {name: value for name, value in given.items() if not name.startswith("cancel")}
        self.check_order(new)
        results = []
        for act, values in ((self.delete_order, old), (self.post_order, new)):
            if results and results[0][0] == "FAILURE" and given["cancelReplaceMode"] == "STOP_ON_FAILURE":
                results.append(("NOT_ATTEMPTED", b"null"))
                continue
            try:
                results.append(("SUCCESS", act(values).body))
            except Refused as why:
                results.append(("FAILURE", why.answer.body))
        body = (f'{{"cancelResult":"{results[0][0]}","newOrderResult":"{results[1][0]}","cancelResponse":'
                f'{results[0][1].decode()},"newOrderResponse":{results[1][1].decode()}}}')
        good = [result == "SUCCESS" for result, _ in results]
        if all(good):
            return Answer(200, body)
        code, text, status = (-2021, "Order cancel-replace partially failed.", 409) if any(good) else (
            -2022, "Order cancel-replace failed.", 400)
        return Answer(status, f'{{"code":{code},"msg":"{text}","data":{body}}}')
