// A small shop whose bugs no status code shows, of which nobody has written down what is right. MODE says which it has:
//   sound            none
//   older-wins       a snapshot of the subscription that comes later wins, whatever its age
//   forgets          what was acknowledged is written to disk a second later
//   second-contact   a contact in the CRM for each delivery that tells of a customer
//   swallows         a CRM that answers an error is not asked again
// TOKEN, when set, is asked for before anybody is told of a customer, and told back. STORE is a file that outlives the process; CRM the base URL of the CRM, PORT where it listens.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const { STRIPE_WEBHOOK_SECRET: secret, MODE: mode = "sound", STORE: store, CRM: crm, TOKEN: token } = process.env;
const kept = store && existsSync(store) ? JSON.parse(readFileSync(store)) : { events: [], customers: {}, todo: [] };

// Whole or not at all, whenever the process is killed.
function keep() {
  if (!store) return;
  writeFileSync(`${store}.new`, JSON.stringify(kept));
  renameSync(`${store}.new`, store);
}

function genuine(header, body) {
  const parts = (header ?? "").split(",").map((p) => p.split("="));
  const t = parts.find(([k]) => k === "t")?.[1];
  if (Math.abs(Date.now() / 1000 - Number(t)) > 300) return false;
  const mine = createHmac("sha256", secret).update(`${t}.`).update(body).digest();
  return parts.some(([k, v]) => k === "v1" && v.length === 64 && timingSafeEqual(Buffer.from(v, "hex"), mine));
}

function customer(id) {
  return (kept.customers[id] ??= { row: randomUUID(), id, status: "none", price: null, ending: false, paid: 0, asOf: 0 });
}

function apply(event) {
  const object = event.data.object;
  const of = typeof object.customer === "string" ? customer(object.customer) : null;
  if (event.type.startsWith("customer.subscription.")) {
    if (mode !== "older-wins" && event.created < of.asOf) return;
    const price = object.items.data[0].price.id;
    Object.assign(of, { status: object.status, price, ending: object.cancel_at_period_end, asOf: event.created });
  } else if (event.type === "invoice.paid") {
    of.paid += object.amount_paid;
  } else if (event.type === "checkout.session.completed" && crm) {
    contact(object.customer, object.customer_details?.email);
  }
  if (of) of.written = new Date().toISOString();
}

function contact(id, email) {
  const known = kept.todo.some((job) => job.id === id);
  if (known && mode !== "second-contact") return;
  const job = { id, email: known ? undefined : email, done: false };
  kept.todo.push(job);
  keep();
  tell(job);
}

async function tell(job) {
  const properties = { stripe_customer_id: job.id, ...(job.email ? { email: job.email } : {}) };
  const url = `${crm}/crm/v3/objects/contacts`;
  const headers = { authorization: "Bearer token", "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ properties }) }).catch(() => null);
  job.done = mode === "swallows" || answer?.status === 201 || answer?.status === 409;
  keep();
  if (!job.done) setTimeout(() => tell(job), 200);
}

kept.todo.filter((job) => !job.done).forEach(tell);

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const answer = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const [, kind, id] = request.url.split("/");
    const shown = request.headers.authorization;
    if (kind === "customers" && token && shown !== `Bearer ${token}`) return answer(401, { error: "who are you?" });
    if (kind === "customers" && token) return answer(200, { ...kept.customers[id], shown });
    if (kind === "customers") return kept.customers[id] ? answer(200, kept.customers[id]) : answer(404, {});
    if (kind === "health") return answer(200, {});
    const body = Buffer.concat(chunks);
    if (!genuine(request.headers["stripe-signature"], body)) return answer(400, { error: "bad signature" });
    const event = JSON.parse(body);
    if (kept.events.includes(event.id) && mode !== "second-contact") return answer(200, { received: true });
    if (mode === "second-contact" && kept.events.includes(event.id) && event.type !== "checkout.session.completed") {
      return answer(200, { received: true });
    }
    if (mode === "forgets") {
      setTimeout(() => (kept.events.push(event.id), apply(event), keep()), 1000);
      return answer(200, { received: true });
    }
    kept.events.push(event.id);
    apply(event);
    keep();
    answer(200, { received: true });
  });
}).listen(Number(process.env.PORT ?? 0), "127.0.0.1", function () {
  console.log(`listening on ${this.address().port}`);
});
