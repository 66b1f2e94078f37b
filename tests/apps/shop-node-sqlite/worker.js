// Carries out jobs: a contact in the CRM, a ticket at the desk. A job is claimed for a while only, so that one whose worker
// died is taken up by another, and each call can be made again without harm.
const { bug } = require("./bugs.js");

const CRM = process.env.HUBSPOT_BASE_URL;
const DESK = process.env.ZENDESK_URL;
const TIMEOUT_MS = Number(process.env.UPSTREAM_TIMEOUT_MS ?? 10_000);
const IDLE_MS = 40;
const LONGEST_WAIT_MS = 1_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Refused extends Error {
  constructor(response, body) {
    super(`answered ${response.status}`);
    this.status = response.status;
    this.body = body;
    this.retryAfterMs = 1000 * Number(response.headers.get("retry-after") ?? 0);
  }
}

async function call(method, url, token, body, headers = {}) {
  const response = await fetch(url, {
    method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
  });
  const answer = await response.json();
  if (!response.ok) throw new Refused(response, answer);
  return answer;
}

const crm = (method, path, body) => call(method, `${CRM}/crm/v3/objects/contacts${path}`, process.env.HUBSPOT_TOKEN ?? "pat-test", body);
const desk = (method, path, body, headers) => call(method, `${DESK}/api/v2${path}`, process.env.ZENDESK_TOKEN ?? "zd-test", body, headers);

/** E-mails are unique in the CRM: whoever made the contact, its refusal names it. */
async function contact({ customer, email, name }) {
  const found = await crm("POST", "/search", {
    filterGroups: [{ filters: [{ propertyName: "email", operator: "EQ", value: email }] }], properties: ["email"], limit: 1,
  });
  if (found.results.length > 0) return;
  const [firstname, ...rest] = (name ?? "").split(" ");
  if (bug("contact-in-two-steps")) {
    const made = await crm("POST", "", { properties: { stripe_customer_id: customer, firstname, lastname: rest.join(" ") } });
    return crm("PATCH", `/${made.id}`, { properties: { email } });
  }
  try {
    await crm("POST", "", { properties: { email, firstname, lastname: rest.join(" "), lifecyclestage: "customer" } });
  } catch (error) {
    if (error.status !== 409 || !/Existing ID: \d+/.test(error.body?.message ?? "")) throw error;
  }
}

/** One ticket an invoice: looked for by our key first, and made under an idempotency key. */
async function ticket({ invoice, customer, email }) {
  const wanted = {
    ticket: {
      subject: `Payment failed for ${customer}`, comment: { body: `Invoice ${invoice} could not be paid.` },
      external_id: invoice, tags: ["queue_billing"], requester: { email, name: email },
    },
  };
  if (bug("ticket-without-key")) return desk("POST", "/tickets.json", wanted);
  const there = await desk("GET", `/tickets.json?external_id=${encodeURIComponent(invoice)}`);
  if (there.tickets.length === 0) await desk("POST", "/tickets.json", wanted, { "idempotency-key": `failed-${invoice}` });
}

const KINDS = { contact, ticket };

async function work(store) {
  for (;;) {
    const job = store.claim();
    if (!job) {
      await pause(IDLE_MS);
      continue;
    }
    try {
      await KINDS[job.kind](JSON.parse(job.data));
      store.finish(job);
    } catch (error) {
      store.putOff(job, Math.max(error.retryAfterMs ?? 0, Math.min(LONGEST_WAIT_MS, 50 * 2 ** job.attempts)));
    }
  }
}

function startWorkers(store, count = 2) {
  if (!CRM || !DESK) return console.log("no CRM and no desk: jobs wait");
  for (let n = 0; n < count; n += 1) work(store).catch((error) => (console.error(error), process.exit(1)));
}

module.exports = { startWorkers };
