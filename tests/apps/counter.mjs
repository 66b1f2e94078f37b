// A small shop back end: it verifies Stripe's signature, counts purchases and opens the door. With SOUND=1 it remembers
// event ids; without, a duplicate counts twice. It answers 200 either way.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.STRIPE_WEBHOOK_SECRET;
const sound = process.env.SOUND === "1";
const seen = new Set();
const customers = new Map();

function genuine(header, body) {
  const parts = (header ?? "").split(",").map((p) => p.split("="));
  const t = parts.find(([k]) => k === "t")?.[1];
  if (Math.abs(Date.now() / 1000 - Number(t)) > 300) return false;
  const mine = createHmac("sha256", secret).update(`${t}.`).update(body).digest();
  return parts.some(([k, v]) => k === "v1" && v.length === 64 && timingSafeEqual(Buffer.from(v, "hex"), mine));
}

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const answer = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const [, kind, id] = request.url.split("/");
    if (kind === "customers") return customers.has(id) ? answer(200, customers.get(id)) : answer(404, {});
    const body = Buffer.concat(chunks);
    if (!genuine(request.headers["stripe-signature"], body)) return answer(400, { error: "bad signature" });
    const event = JSON.parse(body);
    if (sound && seen.has(event.id)) return answer(200, { received: true });
    seen.add(event.id);
    const object = event.data.object;
    if (event.type === "checkout.session.completed") {
      const customer = customers.get(object.customer) ?? { purchases: 0 };
      customers.set(object.customer, { ...customer, purchases: customer.purchases + 1, access: true });
    }
    answer(200, { received: true });
  });
}).listen(Number(process.env.PORT ?? 0), "127.0.0.1", function () {
  console.log(`listening on ${this.address().port}`);
});
