"""What the platform keeps, in one SQLite file: events seen, customers, subscriptions, money, jobs. Every transaction has a
connection of its own; whoever writes holds the file's one write lock from the beginning. Threads wait for each other before
that, since SQLite's own waiting is by turns of sleep and can leave one out for seconds."""

import contextlib
import json
import os
import sqlite3
import threading
import time

from bugs import bug

SCHEMA = """
create table if not exists events (id text primary key, type text not null);
create table if not exists customers (id text primary key, email text, user_id text, purchases integer not null default 0);
create table if not exists subscriptions (
  id text primary key, customer text not null, status text not null, plan text, started integer not null,
  told_at integer not null, told_by text not null, ended integer not null, body text not null);
create table if not exists paid (subscription text primary key);
create table if not exists charges (id text primary key, customer text, made integer not null, amount integer not null);
create table if not exists refunds (id text primary key, charge text not null, amount integer not null, status text not null);
create table if not exists jobs (
  id integer primary key, kind text not null, key text not null, data text not null, state text not null default 'ready',
  attempts integer not null default 0, run_at real not null default 0, locked_until real not null default 0, unique (kind, key));
"""

LEASE_SECONDS = int(os.environ.get("JOB_LEASE_MS", "30000")) / 1000


class Store:
    def __init__(self, file):
        self.file = file
        self.one_writer = threading.Lock()
        with contextlib.closing(self.connect()) as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(SCHEMA)

    def connect(self):
        connection = sqlite3.connect(self.file, timeout=2, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma synchronous = full")
        return connection

    @contextlib.contextmanager
    def writing(self):
        with self.one_writer, contextlib.closing(self.connect()) as connection:
            connection.execute("begin immediate")
            try:
                yield Transaction(connection)
                connection.execute("commit")
            except BaseException:
                connection.execute("rollback")
                raise

    @contextlib.contextmanager
    def reading(self):
        with contextlib.closing(self.connect()) as connection:
            yield Transaction(connection)


class Transaction:
    def __init__(self, connection):
        self.connection = connection
        self.sql = connection.execute

    def row(self, text, *values):
        return self.sql(text, values).fetchone()

    def knows(self, event):
        return self.row("select 1 from events where id = ?", event) is not None

    def first_time(self, event):
        done = self.sql("insert into events values (?, ?) on conflict do nothing", (event["id"], event["type"]))
        return done.rowcount == 1

    def meet(self, customer, email=None, user=None):
        """What is known of a customer, e-mail and user as they become known."""
        self.sql(
            "insert into customers (id, email, user_id) values (?, ?, ?) on conflict (id) do update set "
            "email = coalesce(excluded.email, email), user_id = coalesce(excluded.user_id, user_id)",
            (customer, email, user),
        )

    def is_known(self, customer):
        return self.row("select 1 from customers where id = ?", customer) is not None

    def purchased(self, customer):
        self.sql("update customers set purchases = purchases + 1 where id = ?", (customer,))

    def mark_paid(self, subscription):
        self.sql("insert into paid values (?) on conflict do nothing", (subscription,))

    def subscription(self, subscription):
        return self.row("select * from subscriptions where id = ?", subscription)

    def write_subscription(self, **row):
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        self.sql(f"insert or replace into subscriptions ({names}) values ({marks})", row)

    def end_all(self, customer):
        self.sql("update subscriptions set status = 'canceled', ended = 1 where customer = ?", (customer,))

    def charge(self, charge, customer, made, amount):
        self.sql("insert or replace into charges values (?, ?, ?, ?)", (charge, customer, made, amount))

    def refund(self, refund, charge, amount, status):
        self.sql(
            "insert into refunds values (?, ?, ?, ?) on conflict (id) do update set status = excluded.status "
            "where status != 'failed'",
            (refund, charge, amount, status),
        )

    def enqueue(self, kind, key, data):
        self.sql(
            "insert into jobs (kind, key, data) values (?, ?, ?) on conflict do nothing", (kind, key, json.dumps(data))
        )

    def claim(self):
        now = time.time()
        return self.row(
            "update jobs set locked_until = ? where id = (select id from jobs where state = 'ready' and run_at <= ? and "
            "locked_until <= ? order by run_at, id limit 1) returning *",
            now + LEASE_SECONDS, now, now,
        )

    def finish(self, job):
        self.sql("update jobs set state = 'done' where id = ?", (job,))

    def put_off(self, job, wait):
        self.sql(
            "update jobs set attempts = attempts + 1, locked_until = 0, run_at = ? where id = ?", (time.time() + wait, job)
        )

    def customer(self, customer):
        """What a customer has, as pages and probes show it."""
        known = self.row("select * from customers where id = ?", customer)
        newest = self.row("select * from subscriptions where customer = ? order by ended, started desc limit 1", customer)
        if known is None and newest is None:
            return None
        return {
            "access": self.has_access(customer, newest),
            "status": newest["status"] if newest else "none",
            "plan": newest["plan"] if newest and newest["plan"] and not newest["ended"] else "none",
            "purchases": known["purchases"] if known else 0,
        }

    def has_access(self, customer, subscription):
        if subscription is None or subscription["status"] not in ("active", "trialing", "past_due"):
            return False
        if self.row("select 1 from paid where subscription = ?", subscription["id"]) is None:
            return False
        charge = self.row("select * from charges where customer = ? order by made desc limit 1", customer)
        if charge is None or bug("refund-ignored"):
            return True
        back = self.row("select total(amount) from refunds where charge = ? and status != 'failed'", charge["id"])[0]
        return back < charge["amount"]
