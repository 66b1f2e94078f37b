// An app whose API hosts are hard-coded, in the ways in which apps call: each makes a contact in the CRM and says whose.
import https, { request } from "node:https";
import { createRequire } from "node:module";

const path = "/crm/v3/objects/contacts";
const headers = { "content-type": "application/json", authorization: "Bearer t" };
const body = (email) => JSON.stringify({ properties: { email } });

function said(way, email, status) {
  if (status !== 201) throw new Error(`${way}: ${status}`);
  console.log(way);
  console.log(`made ${email}`);
}

function over(call, email) {
  return new Promise((resolve, reject) => {
    const asked = call((response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    asked.on("error", reject);
    asked.end(body(email));
  });
}

async function fetched(fetch, way, email) {
  const response = await fetch(`https://api.hubapi.com${path}`, { method: "POST", headers, body: body(email) });
  await response.text();
  said(way, email, response.status);
}

await fetched(fetch, "fetch", "fetch@example.com");
await fetched(fetch, "fetch, the same connection", "again@example.com");
const options = { host: "api.hubapi.com", path, method: "POST", headers };
said("https", "https@example.com", await over((done) => https.request(options, done), "https@example.com"));
const url = new URL(`https://api.hubapi.com${path}`);
said("named import", "named@example.com", await over((done) => request(url, { method: "POST", headers }, done), "named@example.com"));
const agent = new https.Agent({ keepAlive: true });
for (const email of ["agent@example.com", "kept@example.com"]) {
  said("agent", email, await over((done) => https.request({ ...options, agent }, done), email));
}
agent.destroy();

if (process.env.CLIENTS) {
  const require = createRequire(process.env.CLIENTS);
  const nodeFetch = require("node-fetch");
  await fetched(nodeFetch.default ?? nodeFetch, "node-fetch", "node-fetch@example.com");
  const Stripe = require("stripe");
  const stripe = new (Stripe.default ?? Stripe)("sk_test_of_nobody", { maxNetworkRetries: 0 });
  const listed = await stripe.events.list({ limit: 1 });
  if (listed.object !== "list") throw new Error("no list");
  console.log("official stripe");
  const { Client } = require("@hubspot/api-client");
  const hubspot = new Client({ accessToken: "pat-test" });
  const made = await hubspot.crm.contacts.basicApi.create({ properties: { email: "hubspot@example.com" }, associations: [] });
  said("official hubspot", "hubspot@example.com", made.id ? 201 : 0);
}

try {
  await fetch("https://not-listed.invalid/");
} catch (error) {
  console.log(`other host: ${error.cause?.code}`);
}
process.exit(0);
