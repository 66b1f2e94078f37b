// What the service keeps in PostgreSQL (DATABASE_URL), and how: one pool a process, transactions, the queue of jobs.
const { Pool } = require("pg");

const SCHEMA = `
create table if not exists events (id text primary key, type text not null, taken_at timestamptz not null default now());
create table if not exists accounts (
  customer text primary key, email text, name text, user_id text, purchases integer not null default 0, paid text[] not null default '{}');
create table if not exists subscriptions (
  id text primary key, customer text not null, status text not null, plan text, started bigint not null,
  told_at bigint not null, told_by text not null, ended boolean not null, body jsonb not null);
create table if not exists charges (id text primary key, customer text, made bigint not null, amount bigint not null);
create table if not exists refunds (id text primary key, charge text not null, amount bigint not null, status text not null);
create table if not exists jobs (
  id bigserial primary key, kind text not null, key text, data jsonb not null, state text not null default 'ready',
  attempts integer not null default 0, run_at timestamptz not null default now(), locked_until timestamptz not null default 'epoch',
  unique (kind, key));
create index if not exists jobs_ready on jobs (run_at) where state = 'ready';
`;

async function open() {
  const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL ?? 6) });
  pool.on("error", (error) => console.error(`connection lost: ${error.message}`));
  const query = (text, values) => pool.query(text, values);
  async function transaction(work) {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const result = await work(client);
      await client.query("commit");
      client.release();
      return result;
    } catch (error) {
      const rolledBack = await client.query("rollback").then(() => true, () => false);
      client.release(!rolledBack);
      throw error;
    }
  }
  // Several processes start at once; one of them makes the tables.
  await transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock(4242)");
    await tx.query(SCHEMA);
  });
  return { pool, query, transaction, customer: (id) => customer(query, id), aside: () => aside(pool.options) };
}

/** With `job-before-commit`: the queue has connections of its own. */
let queue;
function aside(options) {
  queue ??= new Pool({ ...options, max: 2 });
  return queue;
}

/** Into the queue, and whoever waits for work is told when the transaction is committed. */
async function enqueue(tx, kind, key, data) {
  const text = "insert into jobs (kind, key, data) values ($1, $2, $3) on conflict do nothing";
  const made = await tx.query(text, [kind, key, JSON.stringify(data)]);
  if (made.rowCount > 0) await tx.query("notify jobs");
}

/** What a customer has, as pages and probes show it. */
async function customer(query, id) {
  const [account] = (await query("select * from accounts where customer = $1", [id])).rows;
  const newest = "select * from subscriptions where customer = $1 order by ended, started desc limit 1";
  const [subscription] = (await query(newest, [id])).rows;
  if (!account && !subscription) return undefined;
  const back = `select c.amount <= coalesce(sum(r.amount) filter (where r.status != 'failed'), 0) as all
                from charges c left join refunds r on r.charge = c.id where c.customer = $1
                group by c.id order by c.made desc limit 1`;
  const [refunded] = (await query(back, [id])).rows;
  const open = subscription && ["active", "trialing", "past_due"].includes(subscription.status);
  return {
    access: Boolean(open && account?.paid.includes(subscription.id) && !refunded?.all),
    status: subscription?.status ?? "none",
    plan: (!subscription?.ended && subscription?.plan) || "none",
    purchases: account?.purchases ?? 0,
  };
}

module.exports = { open, enqueue };
