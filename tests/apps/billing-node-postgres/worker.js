// A process of its own, of which several may run: grants what was bought, makes contacts and tickets. A job is claimed for a
// while only, so that one whose worker died is taken up by another, and each call can be made again without harm.
const { bug } = require("./bugs.js");
const { createServer } = require("node:http");
const Stripe = require("stripe");
const { open } = require("./db.js");
const { keepFetched } = require("./billing.js");

const CRM = process.env.HUBSPOT_BASE_URL;
const DESK = process.env.ZENDESK_URL;
const LEASE_MS = Number(process.env.JOB_LEASE_MS ?? 30_000);
const TIMEOUT_MS = Number(process.env.UPSTREAM_TIMEOUT_MS ?? 10_000);
const IDLE_MS = 100;
const LONGEST_WAIT_MS = 1_000;
const api = process.env.STRIPE_API_BASE && new URL(process.env.STRIPE_API_BASE);
const where = api ? { host: api.hostname, port: api.port, protocol: api.protocol.replace(":", "") } : {};
const stripe = new Stripe(process.env.STRIPE_API_KEY ?? "sk_test_unused", { ...where, timeout: TIMEOUT_MS, maxNetworkRetries: 0 });
const MOST_ATTEMPTS = bug("gives-up-early") ? 3 : 50;

async function call(method, url, token, body, headers = {}) {
  const response = await fetch(url, {
    method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
  });
  const answer = await response.json();
  if (response.ok) return answer;
  const retryAfterMs = 1000 * Number(response.headers.get("retry-after") ?? 0);
  throw Object.assign(new Error(`answered ${response.status}`), { status: response.status, answer, retryAfterMs });
}

const crm = (method, path, body) => call(method, `${CRM}/crm/v3/objects/contacts${path}`, process.env.HUBSPOT_TOKEN ?? "pat-test", body);
const desk = (method, path, body, headers) => call(method, `${DESK}/api/v2${path}`, process.env.ZENDESK_TOKEN ?? "zd-test", body, headers);

/** E-mails are unique in the CRM: whoever made the contact, its refusal names it. */
async function contact(db, { customer }) {
  const [account] = (await db.query("select email, name from accounts where customer = $1", [customer])).rows;
  if (!account?.email) return;
  const there = await crm("GET", `/${encodeURIComponent(account.email)}?idProperty=email`).catch((error) => {
    if (error.status !== 404) throw error;
  });
  if (there) return;
  const [firstname, ...rest] = (account.name ?? "").split(" ");
  if (bug("contact-in-two-steps")) {
    const made = await crm("POST", "", { properties: { stripe_customer_id: customer, firstname, lastname: rest.join(" ") } });
    return crm("PATCH", `/${made.id}`, { properties: { email: account.email } });
  }
  const properties = { email: account.email, firstname, lastname: rest.join(" "), lifecyclestage: "customer" };
  await crm("POST", "", { properties }).catch((error) => {
    if (error.status !== 409 || !/Existing ID: \d+/.test(error.answer?.message ?? "")) throw error;
  });
}

/** One ticket an invoice: looked for by our key first, and made under an idempotency key. */
async function ticket(_db, { invoice, customer, email }) {
  const wanted = {
    ticket: {
      subject: `Payment failed for ${customer}`, comment: { body: `Invoice ${invoice} could not be paid.` },
      external_id: invoice, tags: ["queue_billing"], requester: { email, name: email },
    },
  };
  if (bug("ticket-not-keyed")) return desk("POST", "/tickets.json", wanted);
  const there = await desk("GET", `/tickets.json?external_id=${encodeURIComponent(invoice)}`);
  if (there.tickets.length === 0) await desk("POST", "/tickets.json", wanted, { "idempotency-key": `failed-${invoice}` });
}

/** What Stripe has of a subscription now. Who asks holds its lock until the answer is written, or an older one could win. */
async function refresh(db, { subscription }) {
  if (bug("fetch-then-write")) {
    const now = await stripe.subscriptions.retrieve(subscription);
    return db.transaction((tx) => keepFetched(tx, now));
  }
  await db.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [subscription]);
    await keepFetched(tx, await stripe.subscriptions.retrieve(subscription));
  });
}

const KINDS = { contact, ticket, refresh };

/** Grants need nobody else: the job's row is locked, and ends with the same commit. */
async function grantOne(db) {
  const lock = bug("claim-without-lock") ? "" : "for update skip locked";
  return db.transaction(async (tx) => {
    const ready = `select * from jobs where kind = 'grant' and state = 'ready' order by id limit 1 ${lock}`;
    const [job] = (await tx.query(ready)).rows;
    if (!job) return false;
    await tx.query("update accounts set purchases = purchases + 1 where customer = $1", [job.data.customer]);
    await tx.query("update jobs set state = 'done' where id = $1", [job.id]);
    return true;
  });
}

async function claim(db) {
  const free = bug("claim-never-freed") ? "locked_until = 'epoch'" : "locked_until <= now()";
  const text = `update jobs set locked_until = now() + $1 * interval '1 ms' where id = (
      select id from jobs where kind != 'grant' and state = 'ready' and run_at <= now() and ${free}
      order by run_at, id limit 1 for update skip locked)
    returning *`;
  return (await db.query(text, [LEASE_MS])).rows[0];
}

async function callOne(db) {
  const job = await claim(db);
  if (!job) return false;
  try {
    await KINDS[job.kind](db, job.data);
    await db.query("update jobs set state = 'done' where id = $1", [job.id]);
  } catch (error) {
    const waitMs = Math.max(error.retryAfterMs ?? 0, Math.min(LONGEST_WAIT_MS, 50 * 2 ** job.attempts));
    const state = job.attempts + 1 >= MOST_ATTEMPTS ? "dead" : "ready";
    await db.query(
      `update jobs set attempts = attempts + 1, locked_until = 'epoch', state = $2, run_at = now() + $3 * interval '1 ms' where id = $1`,
      [job.id, state, waitMs],
    );
  }
  return true;
}

async function main() {
  const db = await open();
  const waiting = new Set();
  const listener = await db.pool.connect();
  listener.on("notification", () => waiting.forEach((wake) => wake()));
  listener.on("error", (error) => (console.error(error.message), process.exit(1)));
  await listener.query("listen jobs");
  const loop = async (one) => {
    for (;;) {
      try {
        if (await one(db)) continue;
      } catch (error) {
        console.error(error.message);
      }
      await new Promise((resolve) => {
        const wake = () => (waiting.delete(wake), resolve());
        waiting.add(wake);
        setTimeout(wake, IDLE_MS);
      });
    }
  };
  // Whoever starts it asks here whether it works yet.
  const port = process.env.HEALTH_PORT;
  if (port) createServer((_request, response) => response.end("ok")).listen(Number(port), "127.0.0.1");
  console.log("working");
  await Promise.all([loop(grantOne), loop(callOne), loop(callOne)]);
}

main().catch((error) => (console.error(error), process.exit(1)));
