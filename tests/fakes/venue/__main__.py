"""A strict trading venue on loopback. Prints its port.

    python3 tests/fakes/venue binance [--port N] [--seed N] [--tls CERTIFICATE KEY] [--keys | --with-keys] [--speed N SINCE]

With --speed all of its times pass N times as fast, since a moment (seconds of 1970, as it shows them too).
With --tls it prints a second port, which is plain and for commands; with --with-keys the keys follow the ports.

See README.md beside this file.
"""

import argparse
import asyncio
import importlib

NAMES = ("binance", "binance_futures", "kraken", "coinbase", "alpaca")


async def run(options):
    module = importlib.import_module(options.venue)
    from clock import Clock
    from control import Control
    from server import Server

    venue = module.VENUE(options.seed, Clock(*options.speed))
    server, context = Server(venue, Control(venue)), None
    if options.tls:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
    ports = [await server.start(options.port, context)]
    if context:
        ports.append(await server.start(0))
    keys = module.keys() + "\n\n" if options.with_keys else ""
    # In one piece: a reader may leave after the first key.
    print(" ".join(map(str, ports)) + "\n" + keys, end="", flush=True)
    await server.pump()


def main():
    parser = argparse.ArgumentParser(prog="venue", description="a strict trading venue on loopback")
    parser.add_argument("venue", choices=NAMES)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--seed", type=int, default=1, help="of prices, books and everything that is random")
    parser.add_argument("--speed", nargs=2, type=int, default=(1, 0), metavar=("N", "SINCE"))
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    parser.add_argument("--keys", action="store_true", help="print the key that the venue knows, and its secret")
    parser.add_argument("--with-keys", action="store_true", help="start, and print the keys after the ports")
    options = parser.parse_args()
    if options.keys:
        print(importlib.import_module(options.venue).keys())
        return
    try:
        asyncio.run(run(options))
    except KeyboardInterrupt:
        pass


main()
