// What an event of Stripe's means for the shop. Called within the transaction that notes the event as seen.
const { bug } = require("./bugs.js");

const idOf = (value) => (value && typeof value === "object" ? value.id : value) ?? null;

function apply(store, event) {
  const object = event.data.object;
  switch (event.type) {
    case "checkout.session.completed":
    case "checkout.session.async_payment_succeeded":
      return checkout(store, object);
    case "customer.subscription.created":
    case "customer.subscription.updated":
    case "customer.subscription.deleted":
      return subscription(store, event, object);
    case "invoice.paid":
      return invoicePaid(store, object);
    case "invoice.payment_failed":
      return paymentFailed(store, object);
    case "charge.succeeded":
      return store.charge({ id: object.id, customer: idOf(object.customer), made: object.created, amount: object.amount });
    case "refund.created":
    case "refund.updated":
    case "refund.failed":
      return store.refund({
        id: object.id, charge: idOf(object.charge), amount: object.amount, told_at: event.created,
        status: ["failed", "canceled"].includes(object.status) ? "failed" : object.status,
      });
  }
}

function checkout(store, session) {
  const customer = idOf(session.customer);
  if (!customer) return;
  const email = session.customer_details?.email ?? session.customer_email;
  store.meet(customer, { email, user: session.client_reference_id });
  if (email) store.enqueue("contact", customer, { customer, email, name: session.customer_details?.name });
  if (!["paid", "no_payment_required"].includes(session.payment_status)) return;
  store.purchased(customer);
  if (session.subscription) store.markPaid(idOf(session.subscription));
}

function invoicePaid(store, invoice) {
  const customer = known(store, invoice);
  if (invoice.customer_email) store.enqueue("contact", customer, { customer, email: invoice.customer_email, name: invoice.customer_name });
  const subscription = idOf(invoice.parent?.subscription_details?.subscription ?? invoice.subscription);
  // An invoice of nothing is no payment.
  if (subscription && invoice.amount_paid > 0) store.markPaid(subscription);
}

function paymentFailed(store, invoice) {
  const customer = known(store, invoice);
  if (invoice.customer_email) store.enqueue("contact", customer, { customer, email: invoice.customer_email, name: invoice.customer_name });
  store.enqueue("ticket", invoice.id, { invoice: invoice.id, customer, email: invoice.customer_email });
}

/** Events come in any order: an invoice may be the first that is heard of a customer. */
function known(store, invoice) {
  const customer = idOf(invoice.customer);
  if (bug("errors-are-ok") && !store.isKnown(customer)) throw new Error(`no customer ${customer}`);
  store.meet(customer, { email: invoice.customer_email });
  return customer;
}

const RANK = { "customer.subscription.created": 0, "customer.subscription.updated": 1, "customer.subscription.deleted": 2 };

function subscription(store, event, now) {
  const held = store.subscription(now.id);
  if (held && !isNewer(event, held)) return;
  store.writeSubscription({
    id: now.id, customer: idOf(now.customer), status: now.status, started: now.created,
    plan: now.items?.data?.[0]?.price?.metadata?.plan ?? null,
    told_at: event.created, told_by: event.type, ended: Number(RANK[event.type] === 2),
    body: JSON.stringify(now), previous: JSON.stringify(event.data.previous_attributes ?? {}),
  });
}

/**
 * Whether an event tells a newer state than the one that is held. Times are whole seconds: within one, a creation comes
 * before an update, and of two updates the one that changed what is held is the newer one.
 */
function isNewer(event, held) {
  if (bug("update-revives") && event.type === "customer.subscription.updated") return true;
  if (held.ended) return false;
  if (RANK[event.type] === 2 || bug("older-snapshot-wins")) return true;
  if (bug("strictly-newer")) return event.created > held.told_at;
  if (event.created !== held.told_at) return event.created > held.told_at;
  if (RANK[event.type] !== RANK[held.told_by]) return RANK[event.type] > RANK[held.told_by];
  return agrees(event.data.previous_attributes ?? {}, JSON.parse(held.body));
}

/** Whether every value of `part` is in `whole` too. */
function agrees(part, whole) {
  if (part === null || typeof part !== "object") return part === (whole ?? null);
  if (whole === null || typeof whole !== "object") return false;
  return Object.entries(part).every(([key, value]) => agrees(value, whole[key]));
}

module.exports = { apply };
