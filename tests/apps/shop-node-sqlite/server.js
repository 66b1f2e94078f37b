// A shop's back end on Express, better-sqlite3 and Stripe's own library: takes webhooks, keeps what each customer has, and
// leaves calls to CRM and desk to a worker. BUG=name plants one mistake (see ../README.md); without it the app is sound.
const express = require("express");
const Stripe = require("stripe");
const { appendFile } = require("node:fs/promises");
const { bug } = require("./bugs.js");
const { open } = require("./store.js");
const { apply } = require("./billing.js");
const { startWorkers } = require("./worker.js");

const secret = process.env.STRIPE_WEBHOOK_SECRET;
if (!secret) {
  console.error("STRIPE_WEBHOOK_SECRET is not set");
  process.exit(1);
}
const stripe = new Stripe(process.env.STRIPE_API_KEY ?? "sk_test_unused");
const store = open(process.env.DATABASE ?? "shop.db");
const app = express();
app.disable("x-powered-by");

const rawBody = bug("body-reserialised") ? express.json({ type: () => true, limit: "2mb" }) : express.raw({ type: () => true, limit: "2mb" });

function verified(request) {
  const body = bug("body-reserialised") ? JSON.stringify(request.body) : request.body;
  const tolerance = bug("no-tolerance") ? 0 : 300;
  return stripe.webhooks.constructEvent(body, request.headers["stripe-signature"] ?? "", secret, tolerance);
}

/** One event, all or nothing: whether it was seen, what it changes, and the jobs that follow from it. */
const take = store.transaction((event) => {
  if (!store.firstTime(event) && !bug("no-dedupe")) return;
  apply(store, event);
});

const seen = new Set();
const inMemory = [];

async function handle(event) {
  if (bug("dedupe-in-memory")) {
    if (seen.has(event.id)) return;
    seen.add(event.id);
    return store.transaction(() => apply(store, event))();
  }
  if (bug("check-then-insert")) {
    if (store.knows(event.id)) return;
    await appendFile(process.env.AUDIT_LOG ?? "/dev/null", `${event.id} ${event.type}\n`);
    return store.transaction(() => {
      store.firstTime(event);
      apply(store, event);
    })();
  }
  if (bug("ack-first")) {
    inMemory.push(event);
    return;
  }
  take(event);
}

// With `ack-first`: the batch that "takes load off the webhook".
if (bug("ack-first")) setInterval(() => inMemory.splice(0).forEach((event) => take(event)), 1_000);

app.post("/webhooks/stripe", rawBody, async (request, response) => {
  let event;
  try {
    event = verified(request);
  } catch {
    return response.status(400).json({ error: "bad signature or body" });
  }
  if (!event?.id || !event.type || !event.data?.object) return response.status(400).json({ error: "no event" });
  // Events of another mode or of a connected account are nobody's here.
  if (event.livemode !== (process.env.STRIPE_LIVEMODE === "true") || event.account) return response.json({ received: true });
  try {
    await handle(event);
  } catch (error) {
    console.error(`${event.id} ${event.type}: ${error.message}`);
    if (!bug("errors-are-ok")) return response.status(500).json({ error: "try again" });
  }
  response.json({ received: true });
});

app.get("/customers/:id", (request, response) => {
  const customer = store.customer(request.params.id);
  return customer ? response.json(customer) : response.status(404).json({});
});

app.get("/health", (_request, response) => response.json({ ok: true }));

// Whatever is refused before a handler is asked (a body that breaks off, one that is no JSON) gets a plain answer too.
app.use((error, _request, response, _next) => {
  response.status(error.status >= 400 && error.status < 500 ? error.status : 500).json({ error: "cannot be read" });
});

startWorkers(store);
app.listen(Number(process.env.PORT ?? 0), "127.0.0.1", function () {
  console.log(`listening on ${this.address().port}`);
});
