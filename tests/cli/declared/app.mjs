// A shop that mails a receipt through Resend, whose host it has hard-coded. DEDUPE=1 remembers event ids, KEYED=1 sends a key with
// each mail; a mail whose answer is lost is sent again.
import { createServer } from "node:http";

const { DEDUPE, KEYED, PORT } = process.env;
const seen = new Set();

async function mail(session, attempt = 1) {
  const headers = { authorization: "Bearer re_test", "content-type": "application/json" };
  if (KEYED === "1") headers["idempotency-key"] = `receipt/${session.id}`;
  const to = session.customer_details?.email ?? session.customer_email;
  const body = JSON.stringify({ from: "shop@example.com", to, subject: "Paid", tags: [{ name: "kind", value: "receipt" }] });
  try {
    const answer = await fetch("https://api.resend.com/emails", { method: "POST", headers, body });
    await answer.text();
    if (answer.ok || attempt > 3) return;
  } catch {
    if (attempt > 3) return;
  }
  // Longer than a library repeats by itself: this is a call of its own.
  await new Promise((done) => setTimeout(done, 200));
  await mail(session, attempt + 1);
}

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    if (request.method === "GET") return response.end("{}");
    let event;
    try {
      event = JSON.parse(Buffer.concat(chunks));
    } catch {
      return response.writeHead(400).end("{}");
    }
    // Signatures are another matter: this app is only asked about its mails.
    const bad = !(await import("./verify.mjs")).genuine(request.headers["stripe-signature"], Buffer.concat(chunks));
    if (bad) return response.writeHead(400).end("{}");
    const again = DEDUPE === "1" && seen.has(event.id);
    seen.add(event.id);
    if (event.type === "checkout.session.completed" && !again) await mail(event.data.object);
    response.end("{}");
  });
}).listen(Number(PORT), "127.0.0.1");
