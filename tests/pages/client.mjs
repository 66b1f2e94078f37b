// Stripe's npm client against the double at STRIPE_DOUBLE.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
const Stripe = createRequire(process.env.PACKAGES + "/x.js")("stripe");
const at = new URL(process.env.STRIPE_DOUBLE);
const options = { host: at.hostname, port: at.port, protocol: "http" };
const stripe = new (Stripe.default ?? Stripe)("sk_test_of_a_contract_test", options);

const once = { idempotencyKey: "one customer" };
const customer = await stripe.customers.create({ email: "ada@example.com", metadata: { user_id: "u1" } }, once);
const again = await stripe.customers.create({ email: "ada@example.com", metadata: { user_id: "u1" } }, once);
assert.equal(again.id, customer.id);
await assert.rejects(stripe.customers.create({ email: "b@example.com" }, once), { type: "StripeIdempotencyError" });
assert.equal((await stripe.customers.retrieve(customer.id)).metadata.user_id, "u1");

const session = await stripe.checkout.sessions.create({
  mode: "subscription",
  customer: customer.id,
  line_items: [{ price: "price_1SZSxhQmZ4vTe8RaiscJ51Xp", quantity: 1 }],
  subscription_data: { metadata: { user_id: "u1" } },
  success_url: "http://127.0.0.1:1/done?session_id={CHECKOUT_SESSION_ID}",
});
assert.equal(session.status, "open");
const paid = await fetch(session.url, { method: "POST", body: new URLSearchParams({ card: "good", email: "ada@example.com" }), redirect: "manual" });
assert.equal(paid.headers.get("location"), `http://127.0.0.1:1/done?session_id=${session.id}`);
const complete = await stripe.checkout.sessions.retrieve(session.id);
assert.deepEqual([complete.status, complete.payment_status], ["complete", "paid"]);
const updated = await stripe.subscriptions.update(complete.subscription, { cancel_at_period_end: true });
assert.equal(updated.cancel_at_period_end, true);
const list = async (status) => (await stripe.subscriptions.list({ customer: customer.id, status })).data.map((one) => one.id);
assert.deepEqual(await list(undefined), [complete.subscription]);
assert.equal((await stripe.subscriptions.cancel(complete.subscription)).status, "canceled");
assert.deepEqual([await list(undefined), await list("all")], [[], [complete.subscription]]);
await assert.rejects(stripe.subscriptions.list({ customer: "cus_none" }), { code: "resource_missing", statusCode: 400 });

const types = [];
for await (const event of stripe.events.list({ limit: 3 })) types.push(event.type);
assert.equal(types[0], "customer.subscription.deleted");
assert.ok(types.includes("checkout.session.completed") && types.includes("invoice.paid"), types.join());
await assert.rejects(stripe.customers.retrieve("cus_none"), { type: "StripeInvalidRequestError", statusCode: 404 });
const restricted = new (Stripe.default ?? Stripe)("rk_test_of_a_contract_test", options);
await assert.rejects(restricted.customers.create({ email: "c@example.com" }), { type: "StripePermissionError" });
console.log("all good");
