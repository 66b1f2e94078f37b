// A small shop back end that believes no event: its handler asks Stripe for the subscription and writes down what it is told.
// With GUARD=1 it writes only what belongs to an event that is not older than the one it wrote last; without, whichever handler
// comes to its end last wins.
import { createRequire } from "node:module";
import { createServer } from "node:http";
const Module = createRequire(process.env.PACKAGES + "/x.js")("stripe");
const at = new URL(process.env.STRIPE_API);
const stripe = new (Module.default ?? Module)("sk_test_of_the_fetcher", { host: at.hostname, port: at.port, protocol: "http" });
const guarded = process.env.GUARD === "1";
const customers = new Map();

async function handle(event) {
  if (!event.type.startsWith("customer.subscription.")) return;
  const subscription = await stripe.subscriptions.retrieve(event.data.object.id);
  const known = customers.get(subscription.customer);
  if (guarded && known && known.as_of > event.created) return;
  const ended = ["canceled", "incomplete_expired"].includes(subscription.status);
  const plan = ended ? "none" : subscription.items.data[0].price.metadata.plan;
  customers.set(subscription.customer, { access: !ended, status: subscription.status, plan, as_of: event.created });
}

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    const answer = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const [, kind, id] = request.url.split("/");
    if (kind === "customers") return customers.has(id) ? answer(200, customers.get(id)) : answer(404, {});
    if (kind === "health") return answer(200, {});
    let event;
    try {
      event = stripe.webhooks.constructEvent(Buffer.concat(chunks), request.headers["stripe-signature"], process.env.STRIPE_WEBHOOK_SECRET);
    } catch {
      return answer(400, { error: "bad signature" });
    }
    try {
      await handle(event);
      answer(200, { received: true });
    } catch (error) {
      answer(500, { error: "not now" });
    }
  });
}).listen(Number(process.env.PORT), "127.0.0.1");
