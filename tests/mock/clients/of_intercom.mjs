// Intercom's npm client against the workspace at CRM_URL, which is the one at SUPPORT_URL too.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
const { IntercomClient } = createRequire(process.env.PACKAGES + "/x.js")("intercom-client");
const client = (url) => new IntercomClient({ token: "of-a-contract-test", baseUrl: url, maxRetries: 0 });
const [crm, support] = [client(process.env.CRM_URL), client(process.env.SUPPORT_URL)];
const error = async (call) => {
  try { await call; } catch (error) { return error; }
  assert.fail("an error was expected");
};

if (process.env.PART === "limit") {
  for (let n = 0; n < 3; n++) await crm.contacts.list();
  const limited = await error(crm.contacts.list());
  assert.deepEqual([limited.statusCode, limited.body.errors[0].code], [429, "rate_limit_exceeded"]);
  assert.equal(limited.rawResponse.headers.get("x-ratelimit-remaining"), "0");
  console.log("all good");
  process.exit(0);
}

const ada = await crm.contacts.create({ external_id: "u1", email: "ada@example.com", name: "Ada", custom_attributes: { plan: "pro" } });
assert.deepEqual([ada.role, ada.custom_attributes.plan], ["user", "pro"]);
const taken = await error(crm.contacts.create({ email: "ADA@example.com" }));
assert.deepEqual([taken.statusCode, taken.body.errors[0].message], [409, `A contact matching those details already exists with id=${ada.id}`]);
const lead = await crm.contacts.create({ role: "lead", name: "Somebody" });
const by = (field, value) => ({ query: { field, operator: "=", value }, pagination: { per_page: 5 } });
assert.equal((await crm.contacts.search(by("name", "Somebody"))).data.length, 0, "a search sees a write at once");
assert.deepEqual((await crm.contacts.search(by("email", "ada@example.com"))).data.map((one) => one.id), [ada.id]);
assert.equal((await crm.contacts.find({ contact_id: ada.id })).name, "Ada");
assert.equal((await crm.contacts.showContactByExternalId({ external_id: "u1" })).id, ada.id);
assert.equal((await crm.contacts.update({ contact_id: ada.id, custom_attributes: { plan: "basic" } })).custom_attributes.plan, "basic");
assert.equal((await error(crm.contacts.find({ contact_id: "nobody" }))).statusCode, 404);
assert.equal((await crm.contacts.mergeLeadInUser({ from: lead.id, into: ada.id })).id, ada.id);
const tag = await crm.tags.create({ name: "queue_billing" });
await crm.tags.tagContact({ contact_id: ada.id, id: tag.id });
assert.deepEqual((await crm.contacts.listAttachedTags({ contact_id: ada.id })).data.map((one) => one.name), ["queue_billing"]);

// Pages, followed by the library itself.
for (let n = 0; n < 6; n++) await crm.contacts.create({ email: `p${n}@example.com` });
const ids = [];
for await (const one of await crm.contacts.list({ per_page: 3 })) {
  ids.push(one.id);
  if (ids.length > 50) break;
}
assert.deepEqual([ids.length, new Set(ids).size], [7, 7], "the list comes in pages");
const searched = [];
for await (const one of await crm.contacts.search({ query: { operator: "AND", value: [{ field: "email", operator: "~", value: "@example.com" }, { field: "role", operator: "=", value: "user" }] }, pagination: { per_page: 2 } })) {
  searched.push(one.id);
  if (searched.length > 50) break;
}
assert.equal(new Set(searched).size, 7, "a search comes in pages");

// Conversations and tickets: the same workspace behind the other address.
const message = await support.conversations.create({ from: { type: "user", id: ada.id }, body: "Payment of in_1 failed" });
const conversation_id = message.conversation_id;
const updated = await support.conversations.update({ conversation_id, custom_attributes: { external_id: "in_1" } });
assert.equal(updated.custom_attributes.external_id, "in_1");
await support.tags.tagConversation({ conversation_id, id: tag.id, admin_id: "1" });
const replied = await support.conversations.reply({ conversation_id, body: { message_type: "comment", type: "user", intercom_user_id: ada.id, body: "please" } });
assert.equal(replied.conversation_parts.conversation_parts[0].body, "please");
const closed = await support.conversations.manage({ conversation_id, body: { message_type: "close", type: "admin", admin_id: "1" } });
assert.deepEqual([closed.state, closed.open], ["closed", false]);
await support.conversations.list();
assert.deepEqual((await support.conversations.search(by("custom_attributes.external_id", "in_1"))).data.map((one) => one.id), [conversation_id]);
assert.equal((await support.conversations.find({ conversation_id })).contacts.contacts[0].id, ada.id);
const ticket = await support.tickets.create({ ticket_type_id: "1", contacts: [{ email: "ada@example.com" }], ticket_attributes: { _default_title_: "Payment failed", external_id: "in_2", queue: "billing" } });
assert.equal(ticket.ticket_attributes.external_id, "in_2");
assert.equal((await support.tickets.update({ ticket_id: ticket.id, open: false })).open, false);
assert.equal((await support.tickets.get({ ticket_id: ticket.id })).contacts.contacts[0].id, ada.id);
console.log("all good");
