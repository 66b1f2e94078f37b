// A billing service on Express, PostgreSQL and Stripe's own library, of which several copies run side by side. It only notes
// what an event says; worker.js carries out the jobs. BUG=name plants one mistake (see ../README.md).
const express = require("express");
const Stripe = require("stripe");
const { bug } = require("./bugs.js");
const { open } = require("./db.js");
const { apply, known } = require("./billing.js");

const secret = process.env.STRIPE_WEBHOOK_SECRET;
if (!secret) {
  console.error("STRIPE_WEBHOOK_SECRET is not set");
  process.exit(1);
}
const stripe = new Stripe(process.env.STRIPE_API_KEY ?? "sk_test_unused");
const seen = new Set();
const app = express();
app.disable("x-powered-by");

/** One event, all or nothing: whether it was seen, what it changes, and the jobs that follow from it. */
async function take(db, event) {
  if (bug("dedupe-per-replica")) {
    if (seen.has(event.id)) return;
    seen.add(event.id);
  } else if (bug("check-then-insert")) {
    if ((await db.query("select 1 from events where id = $1", [event.id])).rowCount > 0) return;
  }
  await db.transaction(async (tx) => {
    // Whoever comes second waits here for the end of the first, and then finds the row.
    const first = await tx.query("insert into events (id, type) values ($1, $2) on conflict do nothing", [event.id, event.type]);
    if (first.rowCount === 0 && !bug("dedupe-per-replica") && !bug("check-then-insert")) return;
    await apply(tx, event, db);
  });
}

async function main() {
  const db = await open();
  app.post("/webhooks/stripe", express.raw({ type: () => true, limit: "2mb" }), async (request, response) => {
    let event;
    try {
      event = stripe.webhooks.constructEvent(request.body, request.headers["stripe-signature"] ?? "", secret);
    } catch {
      return response.status(400).json({ error: "bad signature or body" });
    }
    if (!event?.id || !event.type || !event.data?.object) return response.status(400).json({ error: "no event" });
    // Events of another mode or of a connected account are nobody's here.
    const foreign = event.livemode !== (process.env.STRIPE_LIVEMODE === "true") || event.account;
    if (foreign && !bug("livemode-not-checked")) return response.json({ received: true });
    if (bug("unknown-type-refused") && !known(event.type)) return response.status(400).json({ error: `unknown type ${event.type}` });
    try {
      await take(db, event);
    } catch (error) {
      console.error(`${event.id} ${event.type}: ${error.message}`);
      return response.status(500).json({ error: "try again" });
    }
    response.json({ received: true });
  });
  app.get("/customers/:id", async (request, response) => {
    try {
      const customer = await db.customer(request.params.id);
      return customer ? response.json(customer) : response.status(404).json({});
    } catch (error) {
      return response.status(503).json({ error: error.code ?? "unavailable" });
    }
  });
  app.get("/health", (_request, response) => response.json({ ok: true }));
  app.use((error, _request, response, _next) => {
    response.status(error.status >= 400 && error.status < 500 ? error.status : 500).json({ error: "cannot be read" });
  });
  app.listen(Number(process.env.PORT ?? 0), "127.0.0.1", function () {
    console.log(`listening on ${this.address().port}`);
  });
}

main().catch((error) => (console.error(error), process.exit(1)));
