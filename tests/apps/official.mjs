// An app that takes what Stripe's own library accepts. It counts, and says its port.
import { createRequire } from "node:module";
import http from "node:http";
import path from "node:path";

const require = createRequire(path.join(process.env.PACKAGES, "x.js"));
const Stripe = require("stripe");
const stripe = new (Stripe.default ?? Stripe)("sk_test_unused");
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    try {
      stripe.webhooks.constructEvent(Buffer.concat(chunks), request.headers["stripe-signature"], process.env.STRIPE_WEBHOOK_SECRET);
      response.writeHead(200).end("ok");
    } catch (error) {
      response.writeHead(400).end(String(error.message));
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
