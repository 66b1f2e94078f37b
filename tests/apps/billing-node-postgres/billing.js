// What an event of Stripe's means for the account of a customer. Called within the transaction that notes the event as seen;
// each handler begins with the account's row, so that events of one customer follow each other and never lock each other out.
const { bug } = require("./bugs.js");
const { enqueue } = require("./db.js");

const idOf = (value) => (value && typeof value === "object" ? value.id : value) ?? null;

const HANDLERS = {
  "checkout.session.completed": checkout,
  "checkout.session.async_payment_succeeded": checkout,
  "customer.subscription.created": subscription,
  "customer.subscription.updated": subscription,
  "customer.subscription.deleted": subscription,
  "invoice.paid": invoicePaid,
  "invoice.payment_failed": paymentFailed,
  "charge.succeeded": charge,
  "refund.created": refund,
  "refund.updated": refund,
  "refund.failed": refund,
};

const known = (type) => type in HANDLERS;

async function apply(tx, event, db) {
  await HANDLERS[event.type]?.(tx, event.data.object, event, db);
}

/** Makes the account, or takes its row and adds what was not known. */
async function meet(tx, customer, { email = null, name = null, user = null, paid = null } = {}) {
  if (bug("read-then-write")) return meetByCopy(tx, customer, { email, name, user, paid });
  if (bug("create-collides")) {
    const there = await tx.query("select 1 from accounts where customer = $1", [customer]);
    if (there.rowCount === 0) await tx.query("insert into accounts (customer) values ($1)", [customer]);
  }
  await tx.query(
    `insert into accounts as a (customer, email, name, user_id, paid) values ($1, $2, $3, $4, array_remove(array[$5], null)) on conflict (customer)
     do update set email = coalesce(excluded.email, a.email), name = coalesce(excluded.name, a.name), user_id = coalesce(excluded.user_id, a.user_id),
     paid = case when $5::text is null or $5 = any(a.paid) then a.paid else a.paid || $5::text end`,
    [customer, email, name, user, paid],
  );
}

/** With `read-then-write`: as an object mapper does it that loads, changes and saves. */
async function meetByCopy(tx, customer, { email, name, user, paid }) {
  await tx.query("insert into accounts (customer) values ($1) on conflict do nothing", [customer]);
  const [held] = (await tx.query("select * from accounts where customer = $1", [customer])).rows;
  await tx.query("select 1 from jobs where key = $1", [customer]);
  const now = paid && !held.paid.includes(paid) ? [...held.paid, paid] : held.paid;
  await tx.query("update accounts set email = $2, name = $3, user_id = $4, paid = $5, purchases = $6 where customer = $1", [
    customer, email ?? held.email, name ?? held.name, user ?? held.user_id, now, held.purchases,
  ]);
}

async function checkout(tx, session, _event, db) {
  const customer = idOf(session.customer);
  if (!customer) return;
  const email = session.customer_details?.email ?? session.customer_email;
  const settled = ["paid", "no_payment_required"].includes(session.payment_status);
  // With the mistake the job is on a connection of its own, and may be taken before there is an account to read.
  if (bug("job-before-commit")) await enqueue(db.aside(), "contact", customer, { customer });
  await meet(tx, customer, {
    email, name: session.customer_details?.name, user: session.client_reference_id, paid: settled ? idOf(session.subscription) : null,
  });
  if (email && !bug("job-before-commit")) await enqueue(tx, "contact", customer, { customer });
  if (settled) await grant(tx, session, customer);
}

/** What was bought is granted by the worker. The job has no key: that an event is taken once is what makes it one. */
async function grant(tx, session, customer) {
  await enqueue(tx, "grant", null, { session: session.id, customer });
}

async function invoicePaid(tx, invoice) {
  const customer = idOf(invoice.customer);
  const subscription = idOf(invoice.parent?.subscription_details?.subscription ?? invoice.subscription);
  // An invoice of nothing is no payment.
  const paid = invoice.amount_paid > 0 ? subscription : null;
  await meet(tx, customer, { email: invoice.customer_email, name: invoice.customer_name, paid });
  if (invoice.customer_email && !bug("job-before-commit")) await enqueue(tx, "contact", customer, { customer });
}

async function paymentFailed(tx, invoice) {
  const customer = idOf(invoice.customer);
  await meet(tx, customer, { email: invoice.customer_email, name: invoice.customer_name });
  if (invoice.customer_email && !bug("job-before-commit")) await enqueue(tx, "contact", customer, { customer });
  await enqueue(tx, "ticket", invoice.id, { invoice: invoice.id, customer, email: invoice.customer_email });
}

async function charge(tx, { id, customer, created, amount }) {
  await tx.query("insert into charges values ($1, $2, $3, $4) on conflict do nothing", [id, idOf(customer), created, amount]);
}

async function refund(tx, { id, charge, amount, status }) {
  const told = ["failed", "canceled"].includes(status) ? "failed" : status;
  await tx.query(
    `insert into refunds as r values ($1, $2, $3, $4) on conflict (id) do update set status = excluded.status where r.status != 'failed'`,
    [id, idOf(charge), amount, told],
  );
}

/** Where Stripe can be asked, an event only says that there is something new; the worker asks what it is. */
async function subscription(tx, now, event) {
  const customer = idOf(now.customer);
  await meet(tx, customer);
  if (process.env.STRIPE_API_BASE && !bug("older-snapshot-wins")) {
    return enqueue(tx, "refresh", event.id, { subscription: now.id });
  }
  await keepSnapshot(tx, now, event);
}

/** What Stripe answered: the newest there is. */
async function keepFetched(tx, now) {
  await write(tx, now, { toldAt: now.ended_at ?? now.created, toldBy: "fetched", ended: ["canceled", "incomplete_expired"].includes(now.status) });
}

const RANK = { "customer.subscription.created": 0, "customer.subscription.updated": 1, "customer.subscription.deleted": 2 };

async function keepSnapshot(tx, now, event) {
  const [held] = (await tx.query("select * from subscriptions where id = $1", [now.id])).rows;
  if (held && !isNewer(event, held)) return;
  await write(tx, now, { toldAt: event.created, toldBy: event.type, ended: RANK[event.type] === 2 });
}

async function write(tx, now, { toldAt, toldBy, ended }) {
  await tx.query(
    `insert into subscriptions values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do update set status = excluded.status,
     plan = excluded.plan, told_at = excluded.told_at, told_by = excluded.told_by, ended = excluded.ended, body = excluded.body`,
    [now.id, idOf(now.customer), now.status, now.items?.data?.[0]?.price?.metadata?.plan ?? null, now.created, toldAt, toldBy,
      ended, JSON.stringify(now)],
  );
}

/**
 * Whether an event tells a newer state than the one that is held. Times are whole seconds: within one, a creation comes
 * before an update, and of two updates the one that changed what is held is the newer one.
 */
function isNewer(event, held) {
  if (held.ended) return false;
  if (RANK[event.type] === 2 || bug("older-snapshot-wins")) return true;
  const toldAt = Number(held.told_at);
  if (event.created !== toldAt) return event.created > toldAt;
  if (RANK[event.type] !== RANK[held.told_by]) return RANK[event.type] > RANK[held.told_by];
  return agrees(event.data.previous_attributes ?? {}, held.body);
}

/** Whether every value of `part` is in `whole` too. */
function agrees(part, whole) {
  if (part === null || typeof part !== "object") return part === (whole ?? null);
  if (whole === null || typeof whole !== "object") return false;
  return Object.entries(part).every(([key, value]) => agrees(value, whole[key]));
}

module.exports = { apply, known, keepFetched };
