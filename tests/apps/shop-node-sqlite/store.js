// What the shop keeps, in one SQLite file: events seen, customers, subscriptions, money, jobs.
const Database = require("better-sqlite3");
const { bug } = require("./bugs.js");

const SCHEMA = `
create table if not exists events (id text primary key, type text not null, taken_at integer not null);
create table if not exists customers (id text primary key, email text, user_id text, purchases integer not null default 0);
create table if not exists subscriptions (
  id text primary key, customer text not null, status text not null, plan text, started integer not null,
  told_at integer not null, told_by text not null, ended integer not null, body text not null, previous text not null);
create table if not exists paid (subscription text primary key);
create table if not exists charges (id text primary key, customer text, made integer not null, amount integer not null);
create table if not exists refunds (id text primary key, charge text not null, amount integer not null, status text not null, told_at integer not null);
create table if not exists jobs (
  id integer primary key, kind text not null, key text not null, data text not null, state text not null default 'ready',
  attempts integer not null default 0, run_at integer not null default 0, locked_until integer not null default 0, unique (kind, key));
`;

const LEASE_MS = Number(process.env.JOB_LEASE_MS ?? 30_000);

function open(file) {
  const db = new Database(file);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma("busy_timeout = 2000");
  db.exec(SCHEMA);
  const statements = new Map();
  const sql = (text) => statements.get(text) ?? statements.set(text, db.prepare(text)).get(text);
  return {
    transaction: (work) => db.transaction(work).immediate,
    knows: (id) => sql("select 1 from events where id = ?").get(id) !== undefined,
    firstTime: (event) =>
      sql("insert into events values (?, ?, ?) on conflict do nothing").run(event.id, event.type, Date.now()).changes === 1,

    /** What is known of a customer, e-mail and user as they become known. */
    meet(id, { email, user } = {}) {
      sql(`insert into customers (id, email, user_id) values (?, ?, ?) on conflict (id) do update set
           email = coalesce(excluded.email, email), user_id = coalesce(excluded.user_id, user_id)`).run(id, email ?? null, user ?? null);
    },
    isKnown: (id) => sql("select 1 from customers where id = ?").get(id) !== undefined,
    purchased: (id) => sql("update customers set purchases = purchases + 1 where id = ?").run(id),
    markPaid: (subscription) => sql("insert into paid values (?) on conflict do nothing").run(subscription),

    subscription: (id) => sql("select * from subscriptions where id = ?").get(id),
    writeSubscription: (row) =>
      sql(`insert or replace into subscriptions (id, customer, status, plan, started, told_at, told_by, ended, body, previous)
           values (@id, @customer, @status, @plan, @started, @told_at, @told_by, @ended, @body, @previous)`).run(row),

    charge: (row) => sql("insert or replace into charges values (@id, @customer, @made, @amount)").run(row),
    refund: (row) =>
      sql(`insert into refunds values (@id, @charge, @amount, @status, @told_at) on conflict (id) do update set
           status = excluded.status, told_at = excluded.told_at
           where status != 'failed' and (excluded.told_at > told_at or excluded.status = 'failed')`).run(row),

    enqueue: (kind, key, data) =>
      sql("insert into jobs (kind, key, data) values (?, ?, ?) on conflict do nothing").run(kind, key, JSON.stringify(data)),
    claim() {
      const now = Date.now();
      const free = bug("claim-never-freed") ? "locked_until = 0" : "locked_until <= @now";
      return sql(`update jobs set locked_until = @until where id = (
             select id from jobs where state = 'ready' and run_at <= @now and ${free} order by run_at, id limit 1)
           returning *`).get({ now, until: now + LEASE_MS });
    },
    finish: (job) => sql("update jobs set state = 'done' where id = ?").run(job.id),
    putOff: (job, waitMs) =>
      sql("update jobs set attempts = attempts + 1, locked_until = 0, run_at = ? where id = ?").run(Date.now() + waitMs, job.id),
    customer: (id) => read(sql, id),
  };
}

/** What a customer has, as pages and probes show it. */
function read(sql, id) {
  const customer = sql("select * from customers where id = ?").get(id);
  const all = sql("select * from subscriptions where customer = ? order by ended, started desc").all(id);
  if (!customer && all.length === 0) return undefined;
  const subscription = all[0];
  const paid = subscription && sql("select 1 from paid where subscription = ?").get(subscription.id) !== undefined;
  const charge = sql("select * from charges where customer = ? order by made desc limit 1").get(id);
  const back = charge ? sql("select total(amount) as sum from refunds where charge = ? and status != 'failed'").get(charge.id).sum : 0;
  const open = subscription && ["active", "trialing", "past_due"].includes(subscription.status);
  return {
    access: Boolean(open && paid && !(charge && back >= charge.amount)),
    status: subscription?.status ?? "none",
    plan: (!subscription?.ended && subscription?.plan) || "none",
    purchases: customer?.purchases ?? 0,
  };
}

module.exports = { open };
