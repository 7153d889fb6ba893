#!/usr/bin/env python3
"""Reads the ticket entries of a hotline, stores each once, and reports it received. Python 3, nothing else.

usage: consumer.py HOST:PORT HOTLINE CONSUMER STORE.db [CLAIM_MS]

CONSUMER is this process's own name within the group "my-tickets". When it dies, another takes over after CLAIM_MS what it
was given and has not acknowledged. STORE.db stands for your database: what matters is the primary key on event_id.
"""
import socket, sqlite3, sys
from datetime import datetime, timezone


class Redis:
    """As much of the protocol (RESP2) as a consumer needs."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.file = socket.create_connection((host, int(port)), timeout=30).makefile("rwb")

    def __call__(self, *words):
        words = [str(w).encode() for w in words]
        self.file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        self.file.flush()
        return self.answer()

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("redis has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        n = int(rest)
        if n < 0:
            return None
        if kind == b"$":
            return self.file.read(n + 2)[:-2].decode()
        return [self.answer() for _ in range(n)]


def main(address, hotline, consumer, store, claim_ms="60000"):
    redis, stream, group = Redis(address), "liandong:tickets:" + hotline, "my-tickets"
    db = sqlite3.connect(store, timeout=30)
    db.execute("CREATE TABLE IF NOT EXISTS entries (event_id TEXT PRIMARY KEY, stub_id TEXT, event TEXT)")
    try:
        redis("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
    except RuntimeError as e:
        if "BUSYGROUP" not in str(e):
            raise

    def handle(id, flat):
        # A claimed entry that was trimmed meanwhile has no fields.
        entry = dict(zip(flat[::2], flat[1::2])) if flat else {}
        if entry:
            if entry["schema"] != "1":
                raise RuntimeError("schema %s: this program reads 1" % entry["schema"])
            with db:  # at least once becomes once: the same event_id changes nothing
                db.execute("INSERT OR IGNORE INTO entries VALUES (?, ?, ?)", (entry["event_id"], entry["stub_id"], entry["event"]))
            if entry["event"] == "opened":  # said twice with one event_id it counts once
                redis("XADD", "liandong:updates", "*", "event_id", "received-" + entry["event_id"], "stub_id", entry["stub_id"],
                      "event", "received", "at", datetime.now(timezone.utc).isoformat(timespec="milliseconds"))
        redis("XACK", stream, group, id)  # only now: what is not acknowledged comes again

    mine = "0"  # first what this consumer was given before it was restarted, then what is new
    while True:
        for id, flat in redis("XAUTOCLAIM", stream, group, consumer, claim_ms, "0-0", "COUNT", 10)[1]:
            handle(id, flat)
        got = redis("XREADGROUP", "GROUP", group, consumer, "COUNT", 10, "BLOCK", 1000, "STREAMS", stream, mine)
        entries = got[0][1] if got else []
        for id, flat in entries:
            handle(id, flat)
        if not entries:
            mine = ">"


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
