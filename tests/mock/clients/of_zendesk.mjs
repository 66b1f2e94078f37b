// node-zendesk (a widely used client, not Zendesk's own: Zendesk publishes none for Node) against the desk at SUPPORT_URL.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
const { createClient } = createRequire(process.env.PACKAGES + "/x.js")("node-zendesk");
const zendesk = createClient({ username: "agent@example.com", token: "of-a-contract-test", endpointUri: process.env.SUPPORT_URL + "/api/v2" });
// The library tells the status in the message alone.
const status = async (call) => {
  try { await call; } catch (error) { return Number(/\((\d+)\)/.exec(error.message)?.[1]); }
  assert.fail("an error was expected");
};

if (process.env.PART === "limit") {
  for (let n = 0; n < 3; n++) assert.equal((await zendesk.users.me()).result.role, "admin");
  // The library does not throw it: it is the result.
  const { response, result } = await zendesk.users.me();
  assert.deepEqual([response.status, result.statusCode, result.result.error], [429, 429, "APIRateLimitExceeded"]);
  console.log("all good");
  process.exit(0);
}

const ticket = (external_id, more = {}) => ({ ticket: { subject: "Payment failed", external_id, comment: { body: "The card was declined." }, requester: { name: "Ada", email: "ada@example.com" }, tags: ["queue_billing"], ...more } });
const first = (await zendesk.tickets.create(ticket("in_1"))).result;
assert.deepEqual([first.external_id, first.status, first.tags], ["in_1", "new", ["queue_billing"]]);
assert.equal((await zendesk.tickets.show(first.id)).result.subject, "Payment failed");
const fresh = (await zendesk.tickets.create(ticket("in_2"))).result;
assert.deepEqual(await zendesk.search.query("external_id:in_2").then((one) => one.result ?? one), [], "a search sees a write at once");
assert.deepEqual((await zendesk.tickets.listWithFilter("external_id", "in_2")).map((one) => one.id), [fresh.id]);
const found = await zendesk.search.queryAll("type:ticket external_id:in_1");
assert.deepEqual(found.map((one) => one.id), [first.id]);

const updated = (await zendesk.tickets.update(first.id, { ticket: { status: "open", comment: { body: "again", public: false } } })).result;
assert.equal(updated.status, "open");
assert.equal(await status(zendesk.tickets.create({ ticket: { subject: "no comment" } })), 422);
assert.equal(await status(zendesk.tickets.show(999)), 404);
const late = { ticket: { status: "solved", safe_update: true, updated_stamp: "2020-01-01T00:00:00Z" } };
assert.equal(await status(zendesk.tickets.update(first.id, late)), 409);

// Pages by cursor, followed by the library itself.
const more = await zendesk.tickets.createMany({ tickets: Array.from({ length: 101 }, (_, n) => ticket(`many_${n}`).ticket).slice(0, 100) });
const job = await zendesk.jobstatuses.show((more.result ?? more).job_status?.id ?? (more.result ?? more).id);
assert.equal((job.result.job_status ?? job.result).status, "completed");
const all = await zendesk.tickets.list();
assert.equal(new Set(all.map((one) => one.id)).size, 102, "the list comes in pages");

const ada = (await zendesk.users.createOrUpdate({ user: { name: "Ada", email: "ada@example.com", external_id: "cus_1" } })).result;
assert.equal(ada.id, first.requester_id);
assert.equal(await status(zendesk.users.create({ user: { name: "Ada", email: "ada@example.com" } })), 422);
assert.deepEqual((await zendesk.users.search({ query: "ada@example.com" })).map((one) => one.id), [ada.id]);
await zendesk.tickets.delete(fresh.id);
assert.equal(await status(zendesk.tickets.show(fresh.id)), 404);
console.log("all good");
