"""A small app with a database of its own: takes events, keeps customers, answers about them. It says its port."""

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer

database = sqlite3.connect(os.environ["DB"])
database.executescript(
    """
    create table if not exists events (id text primary key, type text);
    create table if not exists customers (id text primary key, status text, plan text, access integer not null default 0);
    """
)


def take(event):
    thing = event["data"]["object"]
    database.execute("insert or ignore into events values (?, ?)", (event["id"], event["type"]))
    customer = thing["id"] if thing["object"] == "customer" else thing.get("customer")
    if not customer:
        return
    database.execute("insert or ignore into customers (id) values (?)", (customer,))
    if event["type"].startswith("customer.subscription."):
        status = thing["status"]
        plan = thing["items"]["data"][0]["price"]["lookup_key"]
        access = status in ("active", "trialing", "past_due")
        database.execute("update customers set status = ?, plan = ?, access = ? where id = ?", (status, plan, access, customer))


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        database.commit()
        self.answer(200, {})

    def do_GET(self):
        kind, _, name = self.path.strip("/").partition("/")
        if kind == "events":
            row = database.execute("select id from events where id = ?", (name,)).fetchone()
            return self.answer(200 if row else 404, {"stored": True})
        row = database.execute("select status, plan, access from customers where id = ?", (name,)).fetchone()
        self.answer(200 if row else 404, dict(zip(("status", "plan", "access"), row or ())))

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


HTTPServer.request_queue_size = 64
server = HTTPServer(("127.0.0.1", 0), Handler)
print(f"listening {server.server_port}", flush=True)
server.serve_forever()
