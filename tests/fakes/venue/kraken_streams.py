"""Kraken's WebSocket v2: executions and balances of the account, books with checksums, candles, trades."""

import base64
import hashlib
import json
import zlib
from datetime import datetime, timezone
from decimal import Decimal

from matching import ZERO
from server import page
from venue import number, plain

INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)


def checksum(asks, bids):
    """Of (price, quantity) as they are written, best first."""
    text = "".join(
        word.replace(".", "").lstrip("0") for level in (*asks[:10], *bids[:10]) for word in level)
    return zlib.crc32(text.encode())


def iso(seconds, digits=6):
    text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return (text if digits == 6 else text + "0" * (digits - 6)) + "Z"


def name_of(letter, value):
    """Such as OQCLML-BW3P3-BUCMWZ, the same for the same number."""
    raw = base64.b32encode(hashlib.sha256(f"{letter}{value}".encode()).digest()).decode()
    return f"{letter}{raw[:5]}-{raw[5:10]}-{raw[10:16]}"


class Streams:
    """Part of the venue Kraken."""

    def events(self, what, order, fill):
        """("executions" or "balances", rows)."""
        market = order.market
        base = {
            "order_id": name_of("O", order.id), "symbol": market.shown, "side": "buy" if order.buys else "sell",
            "order_type": order.venue.get("type", "limit"), "order_qty": number(f"{order.qty:.8f}"),
            "cum_qty": number(f"{order.filled:.8f}"), "cum_cost": number(f"{order.cost:.5f}"),
            "time_in_force": order.venue.get("tif", "GTC"), "timestamp": iso(order.updated),
            "avg_price": number(f"{order.cost / order.filled if order.filled else ZERO:.5f}"), "order_userref": 0,
        }
        if order.client_id:
            base["cl_ord_id"] = order.client_id
        if order.price:
            base["limit_price"] = number(self.price(market, order.price))
        if order.stop_price:
            stop = number(self.price(market, order.stop_price))
            base.update(stop_price=stop, triggers={
                "reference": "last", "price": stop, "price_type": "static", "actual_price": stop,
                "status": "triggered" if order.triggered else "untriggered"})
        if what == "new":
            return [("executions", [{**base, "exec_type": "pending_new", "order_status": "pending_new"}]),
                    ("executions", [{**base, "exec_type": "new", "order_status": "new"}])]
        if what == "amended":
            status = "partially_filled" if order.filled else "new"
            return [("executions", [{**base, "exec_type": "amended", "order_status": status, "amended": True}])]
        if what != "fill":
            return [("executions", [{**base, "exec_type": "canceled", "order_status": "canceled",
                                     "reason": order.venue.get("reason") or order.reason or "Order replaced"}])]
        trade = self.trade_row(base, fill)
        found = [("executions", [trade])]
        if order.state == "filled":
            found.append(("executions", [{**base, "exec_type": "filled", "order_status": "filled"}]))
        return [*found, ("balances", self.balance_rows(order, fill))]

    def trade_row(self, base, fill):
        return {
            **base, "exec_type": "trade", "order_status": "partially_filled", "exec_id": name_of("T", fill.id),
            "trade_id": fill.id, "last_qty": number(f"{fill.qty:.8f}"),
            "last_price": number(self.price(fill.order.market, fill.price)), "cost": number(f"{fill.cost:.5f}"),
            "liquidity_ind": "m" if fill.maker else "t", "fee_usd_equiv": number(f"{fill.fee:.5f}"),
            "fees": [{"asset": fill.fee_currency, "qty": number(f"{fill.fee:.5f}")}],
        }

    def balance_rows(self, order, fill):
        sign = 1 if order.buys else -1
        changes = {order.market.base: sign * fill.qty, order.market.quote: -sign * fill.cost}
        return [
            {
                "ledger_id": name_of("L", f"{fill.id}{name}"), "ref_id": name_of("T", fill.id), "timestamp": iso(fill.at),
                "type": "trade", "subtype": "", "category": "trade", "asset": name, "asset_class": "currency",
                "wallet_type": "spot", "wallet_id": "main", "amount": number(f"{change:.8f}"),
                "fee": number(f"{fill.fee if name == fill.fee_currency else ZERO:.8f}"),
                "balance": number(self.asset_amount(self.book.total(name))),
            }
            for name, change in changes.items()
        ]

    def send_user(self, event):
        channel, rows = event
        for socket in self.sockets:
            if socket.user is not None and channel in socket.user:
                self.send_rows(socket, channel, "update", rows)

    def send_rows(self, socket, channel, kind, rows):
        socket.user[channel] += 1
        socket.send(plain({"channel": channel, "type": kind, "data": rows, "sequence": socket.user[channel]}))

    def skip_user(self, event):
        for socket in self.sockets:
            if socket.user is not None and event[0] in socket.user:
                socket.user[event[0]] += 1

    def snapshot(self, socket, channel, params):
        if channel == "balances":
            rows = [
                {"asset": name, "asset_class": "currency", "balance": number(self.asset_amount(total)),
                 "wallets": [{"type": "spot", "id": "main", "balance": number(self.asset_amount(total))}]}
                for name, total in self.book.balances.items()
            ]
        else:
            rows = []
            if params.get("snap_orders", True):
                for order in self.book.open_orders():
                    status = "partially_filled" if order.filled else "new"
                    rows.append({**self.events("new", order, None)[1][1][0], "order_status": status})
            if params.get("snap_trades", False):
                for fill in self.book.fills[-50:]:
                    rows.append(self.events("fill", fill.order, fill)[0][1][0])
        self.send_rows(socket, channel, "snapshot", rows)

    # ---------------------------------------------------------------- sockets

    def connect(self, socket, request):
        if request.path != "/v2":
            self.violation("connect", f"no such path {request.path}")
            return page(404, "404 Not Found")
        return None

    def connected(self, socket):
        socket.spoke = self.clock.now()
        socket.send(plain({"channel": "status", "type": "update", "data": [{
            "version": "2.0.9", "system": "online", "api_version": "v2", "connection_id": 1234567890123 + len(self.sockets),
        }]}))

    def message(self, socket, text):
        now = iso(self.clock.shown())
        try:
            ask = json.loads(text)
            method, params = ask["method"], ask.get("params", {})
            if set(ask) - {"method", "params", "req_id"} or not isinstance(ask.get("req_id", 0), int):
                raise ValueError(text)
        except (ValueError, KeyError, TypeError):
            self.violation("stream", f"no request: {text}")
            socket.send('{"error":"Malformed request","success":false}')
            return
        head = {"req_id": ask["req_id"]} if "req_id" in ask else {}
        head.update(time_in=now, time_out=now)
        if method == "ping":
            socket.send(plain({"method": "pong", **head}))
        elif method in ("subscribe", "unsubscribe"):
            self.subscribe(socket, method, params, head)
        else:
            self.violation("stream", f"unknown method {method}")
            socket.send(plain({"error": "Unsupported method", "method": method, "success": False, **head}))

    def subscribe(self, socket, method, params, head):
        channel = params.get("channel")
        known = {
            "executions": {"token", "snap_orders", "snap_trades", "order_status", "ratecounter", "rebased", "users"},
            "balances": {"token", "snapshot", "rebased", "users"}, "book": {"symbol", "depth", "snapshot"},
            "ohlc": {"symbol", "interval", "snapshot"}, "ticker": {"symbol", "event_trigger", "snapshot"},
            "trade": {"symbol", "snapshot"},
        }

        def refuse(text, violation=True):
            if violation:
                self.violation("stream", f"{text}: {params}")
            socket.send(plain({"error": text, "method": method, "success": False, **head}))

        if channel not in known or set(params) - known[channel] - {"channel"}:
            refuse("Unsupported channel or field")
            return
        if channel in ("executions", "balances"):
            fault = self.faults.take("stream")
            if fault.name in ("limited", "banned", "overloaded"):
                refuse("EService:Unavailable", False)
                return
            until = self.tokens.get(params.get("token"))
            used = getattr(socket, "token", None)
            if used is None and (until is None or self.clock.now() > until):
                refuse("ESession:Invalid session", until is None)
                return
            socket.token = params.get("token")
            if method == "unsubscribe":
                socket.user.pop(channel, None)
            else:
                socket.user = {**(socket.user or {}), channel: 0}
                self.silent = False
            result = {name: value for name, value in params.items() if name != "token"}
            socket.send(plain({"method": method, "result": result, "success": True, **head}))
            if method == "subscribe":
                self.snapshot(socket, channel, params)
            return
        names = params.get("symbol")
        markets = [m for m in self.book.markets.values() if m.shown in (names or [])]
        if not isinstance(names, list) or len(markets) != len(set(names)) or len(set(names)) != len(names):
            refuse("Currency pair not supported")
            return
        depth = params.get("depth", 10)
        if channel == "book" and depth not in (10, 25, 100, 500, 1000) or params.get("interval", 1) not in INTERVALS:
            refuse("Subscription depth or interval not supported")
            return
        for market in markets:
            key = (channel, market.symbol, depth if channel == "book" else params.get("interval", 1))
            (socket.subscribed.add if method == "subscribe" else socket.subscribed.discard)(key)
            result = {**params, "symbol": market.shown, "snapshot": True}
            socket.send(plain({"method": method, "result": result, "success": True, **head}))
            if method == "subscribe":
                self.first(socket, market, key)

    def first(self, socket, market, key):
        channel, _, size = key
        if channel == "book":
            asks, bids = self.top(market, size)
            self.views[market.symbol, size] = (asks, bids)
            self.to_one(socket, "book", "snapshot", [self.book_row(market, asks, bids, asks, bids)])
        elif channel == "ticker":
            self.to_one(socket, "ticker", "snapshot", [self.ticker_row(market)])
        elif channel == "ohlc":
            now = int(self.clock.now()) // (size * 60) * size * 60
            rows = [self.ohlc_row(market, now - n * size * 60, size) for n in range(9, -1, -1)]
            self.to_one(socket, "ohlc", "snapshot", [row for row in rows if row])

    def to_one(self, socket, channel, kind, rows):
        socket.spoke = self.clock.now()
        socket.send(plain({"channel": channel, "type": kind, "data": rows}))

    def to_public(self, key, rows):
        listeners = [s for s in self.sockets if key in s.subscribed]
        if listeners and rows and not self.public_gap():
            for socket in listeners:
                self.to_one(socket, key[0], "update", rows)

    def beat(self):
        """A heartbeat a second to those that have subscribed and heard nothing."""
        now = self.clock.now()
        for socket in self.sockets:
            if (socket.subscribed or socket.user) and now - socket.spoke >= 0.9 and not (self.silent and socket.user):
                socket.spoke = now
                socket.send('{"channel":"heartbeat"}')

    # ---------------------------------------------------------------- public streams

    def top(self, market, count):
        """(asks, bids) as texts, best first."""
        book = market.book
        sides = ((book.asks, False), (book.bids, True))
        return [
            [(self.price(market, p), f"{side[p]:.8f}") for p in sorted(side, reverse=turned)[:count]]
            for side, turned in sides
        ]

    def book_row(self, market, asks, bids, all_asks, all_bids):
        check = checksum(all_asks, all_bids)
        if self.wrong_checksums > 0:
            self.wrong_checksums -= 1
            check ^= 1
        rows = [[{"price": number(p), "qty": number(q)} for p, q in side] for side in (bids, asks)]
        return {"symbol": market.shown, "bids": rows[0], "asks": rows[1], "checksum": check,
                "timestamp": iso(self.clock.shown())}

    def publish_book(self, market):
        """Levels that are gone, new or changed; those that others push out are not sent."""
        for (symbol, size), view in list(self.views.items()):
            if symbol != market.symbol:
                continue
            now = self.top(market, size)
            whole = self.top(market, 10**6)
            changes = []
            for old, new, every in zip(view, now, whole):
                have = dict(every)
                gone = [(p, f"{ZERO:.8f}") for p, _ in old if p not in have]
                before = dict(old)
                changes.append(gone + [(p, q) for p, q in new if before.get(p) != q])
            self.views[symbol, size] = now
            if changes[0] or changes[1]:
                self.to_public(("book", symbol, size), [self.book_row(market, *changes, *now)])

    def ticker_row(self, market):
        bid, bid_qty, ask, ask_qty = market.book.best()
        last = number(self.price(market, market.price))
        return {
            "symbol": market.shown, "bid": number(self.price(market, bid)), "bid_qty": number(f"{bid_qty:.8f}"),
            "ask": number(self.price(market, ask)), "ask_qty": number(f"{ask_qty:.8f}"), "last": last,
            "volume": number("1.00000000"), "vwap": last, "low": last, "high": last, "change": number("0.0"),
            "change_pct": number("0.00"), "timestamp": iso(self.clock.shown()),
        }

    def ohlc_row(self, market, at, minutes):
        candle = market.path.candle(at, minutes)
        if candle is None:
            return None
        o, h, low, c = (number(self.price(market, ticks * market.tick)) for ticks in candle[:4])
        return {
            "symbol": market.shown, "open": o, "high": h, "low": low, "close": c, "vwap": c, "trades": candle[4],
            "volume": number(f"{Decimal(candle[4]) / 100:.8f}"), "interval_begin": iso(at, 9), "interval": minutes,
            "timestamp": iso(at + minutes * 60),
        }

    def publish(self, market, what, **values):
        if what == "book":
            self.publish_book(market)
            self.to_public(("ticker", market.symbol, 1), [self.ticker_row(market)])
        elif what == "candle":
            for minutes in INTERVALS[:6]:
                key = ("ohlc", market.symbol, minutes)
                if any(key in s.subscribed for s in self.sockets):
                    now = int(self.clock.now()) // (minutes * 60) * minutes * 60
                    row = self.ohlc_row(market, now, minutes)
                    self.to_public(key, [row] if row else [])
        elif what == "trade":
            market.trades = getattr(market, "trades", 100) + 1
            self.to_public(("trade", market.symbol, 1), [{
                "symbol": market.shown, "side": "buy" if values["rises"] else "sell",
                "price": number(self.price(market, market.price)), "qty": number(f"{values['qty']:.8f}"),
                "ord_type": "market", "trade_id": market.trades, "timestamp": iso(self.clock.shown()),
            }])
