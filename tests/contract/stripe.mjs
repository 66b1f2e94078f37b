// Stripe's npm client against the twin at STRIPE_DOUBLE: every resource of the stories, pages, expansions, versions, errors and
// the library's own repetitions. Nothing but the address is changed.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
const Module = createRequire(process.env.PACKAGES + "/x.js")("stripe");
const Stripe = Module.default ?? Module;
const at = new URL(process.env.STRIPE_DOUBLE);
const options = { host: at.hostname, port: at.port, protocol: "http", maxNetworkRetries: 5 };
const stripe = new Stripe("sk_test_of_a_contract_test", { ...options, apiVersion: "2025-09-30.clover" });
const older = new Stripe("sk_test_of_a_contract_test", { ...options, apiVersion: "2024-06-20" });
const all = async (list) => { const found = []; for await (const one of list) found.push(one.id); return found; };

const customer = "cus_TZbnffBNpdag7f";
const subscription = await stripe.subscriptions.retrieve("sub_1SpnLRQmZ4vTe8RaIlLd2y35", { expand: ["latest_invoice.payments", "customer"] });
assert.equal(subscription.status, "active");
assert.equal(subscription.customer.email, "ada@example.com");
const payment = subscription.latest_invoice.payments.data[0];
assert.equal(payment.status, "paid");
const [item] = (await stripe.subscriptionItems.list({ subscription: subscription.id })).data;
assert.equal((await stripe.subscriptionItems.retrieve(item.id)).price.lookup_key, "pro_monthly");
assert.deepEqual(await all(stripe.subscriptions.list({ customer, price: item.price.id, status: "active" })), [subscription.id]);

const invoices = await all(stripe.invoices.list({ customer, limit: 1 }));
assert.ok(invoices.length >= 3, `auto-pagination: ${invoices}`);
assert.equal(new Set(invoices).size, invoices.length);
const invoice = await stripe.invoices.retrieve(invoices.at(-1), { expand: ["payments.data.payment.payment_intent"] });
const intent = invoice.payments.data[0].payment.payment_intent;
assert.equal((await stripe.invoices.listLineItems(invoice.id)).data.length, invoice.lines.data.length);
assert.deepEqual(await all(stripe.invoicePayments.list({ invoice: invoice.id })), [invoice.payments.data[0].id]);
assert.equal((await stripe.invoicePayments.retrieve(invoice.payments.data[0].id)).invoice, invoice.id);

const session = await stripe.checkout.sessions.retrieve("cs_test_a1yiBKz71b3KCchlpFzMFOsKpbqCPkYxMxIA1X4Ia8g2CP00qcnOyp1gM9", { expand: ["line_items"] });
assert.equal(session.line_items.data[0].price.id, item.price.id);
assert.deepEqual((await stripe.checkout.sessions.listLineItems(session.id)).data, session.line_items.data);
assert.ok((await all(stripe.checkout.sessions.list({ customer }))).includes(session.id));

const charge = await stripe.charges.retrieve(intent.latest_charge, { expand: ["balance_transaction", "refunds"] });
assert.ok(charge.balance_transaction.fee > 0);
assert.deepEqual(await all(stripe.charges.list({ payment_intent: intent.id })), [charge.id]);
assert.equal((await stripe.paymentIntents.retrieve(intent.id)).amount, 4900);
assert.ok((await all(stripe.paymentIntents.list({ customer, limit: 1 }))).includes(intent.id));
assert.deepEqual(await all(stripe.refunds.list({ charge: charge.id })), charge.refunds.data.map((one) => one.id));
assert.equal((await stripe.refunds.retrieve(charge.refunds.data[0].id)).charge, charge.id);
const [dispute] = (await stripe.disputes.list({ payment_intent: intent.id })).data;
assert.equal((await stripe.disputes.retrieve(dispute.id)).status, "won");
const [setup] = (await stripe.setupIntents.list({ customer })).data;
assert.equal((await stripe.setupIntents.retrieve(setup.id)).status, "succeeded");
const method = await stripe.paymentMethods.retrieve(intent.payment_method);
assert.equal(method.card.last4, "4242");
assert.ok((await all(stripe.customers.listPaymentMethods(customer, { type: "card" }))).includes(method.id));
const price = await stripe.prices.retrieve(item.price.id, { expand: ["product"] });
assert.equal(price.product.name, (await stripe.products.retrieve(price.product.id)).name);
assert.ok((await all(stripe.prices.list({ lookup_keys: ["pro_monthly"] }))).includes(price.id));
assert.ok((await all(stripe.products.list({ active: true, limit: 1 }))).length >= 3);
assert.equal((await stripe.plans.retrieve(price.id)).amount, 4900);
assert.ok((await all(stripe.invoiceItems.list({ customer }))).length >= 2);
assert.deepEqual(await all(stripe.customers.list({ email: "ada@example.com" })), [customer]);
assert.deepEqual((await stripe.customers.search({ query: "email:'ada@example.com'" })).data.map((one) => one.id), [customer]);

const events = [];
for await (const event of stripe.events.list({ limit: 7, types: ["invoice.*", "charge.dispute.created"] })) events.push(event);
assert.ok(events.length > 14 && events.every((event) => event.type.startsWith("invoice.") || event.type === "charge.dispute.created"));
assert.equal((await stripe.events.retrieve(events[0].id)).type, events[0].type);
const early = await all(stripe.events.list({ created: { lte: 1768471201 } }));
assert.ok(early.length >= 13 && early.length < 40, `${early.length} events`);

// One subscription and one invoice in two versions.
const oldSubscription = await older.subscriptions.retrieve(subscription.id);
assert.equal(oldSubscription.current_period_end, item.current_period_end);
assert.equal(subscription.current_period_end, undefined);
const oldInvoice = await older.invoices.retrieve(invoice.id, { expand: ["payment_intent", "charge"] });
assert.deepEqual([oldInvoice.subscription, oldInvoice.paid, oldInvoice.payment_intent.id, oldInvoice.charge.id],
  [invoice.parent.subscription_details.subscription, true, intent.id, charge.id]);
assert.deepEqual([invoice.subscription, invoice.paid, invoice.payment_intent, invoice.charge], [undefined, undefined, undefined, undefined]);
await assert.rejects(older.rawRequest("GET", `/v1/invoice_payments?invoice=${invoice.id}`), { statusCode: 404 });

// Errors.
await assert.rejects(stripe.invoices.retrieve("in_1None"), { type: "StripeInvalidRequestError", code: "resource_missing", statusCode: 404, param: "invoice" });
await assert.rejects(stripe.charges.list({ colour: "red" }), { code: "parameter_unknown", param: "colour", statusCode: 400 });
await assert.rejects(stripe.subscriptionItems.list({}), { code: "parameter_missing", param: "subscription" });
await assert.rejects(stripe.subscriptions.retrieve(subscription.id, { expand: ["a.b.c.d.e"] }), { statusCode: 400 });
await assert.rejects(new Stripe("sk_" + "live_of_nobody", options).charges.list(), { type: "StripeAuthenticationError", statusCode: 401 });
const failed = await stripe.invoices.retrieve("in_1None").catch((error) => error);
assert.match(failed.requestId, /^req_/);

// The library repeats by itself what is answered 429 and 409 and what is lost, under one key: each is done once.
const paid = (await stripe.paymentIntents.list({ customer })).data.find((one) => one.status === "succeeded" && one.id !== intent.id);
const made = await Promise.all([
  stripe.customers.create({ email: "once@example.com" }),
  stripe.customers.update(customer, { metadata: { seen: "yes" } }),
  stripe.refunds.create({ payment_intent: paid.id, amount: 100 }),
  stripe.billingPortal.sessions.create({ customer, return_url: "https://app.example.com" }),
]);
assert.equal(made[1].metadata.seen, "yes");
assert.match(made[3].url, /^https:/);
assert.deepEqual(await all(stripe.refunds.list({ charge: paid.latest_charge })), [made[2].id]);
assert.equal((await stripe.charges.retrieve(paid.latest_charge)).amount_refunded, 100);
await assert.rejects(stripe.refunds.create({ charge: charge.id }), { code: "charge_already_refunded" });
assert.deepEqual(await all(stripe.customers.list({ email: "once@example.com" })), [made[0].id]);
const canceled = await stripe.subscriptions.cancel(subscription.id);
assert.equal(canceled.status, "canceled");
assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, "canceled");
const [newest] = (await stripe.events.list({ limit: 1 })).data;
assert.deepEqual([newest.type, newest.data.object.id], ["customer.subscription.deleted", subscription.id]);
console.log("all good");
