// HubSpot's npm client against the CRM double at CRM_URL.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
const { Client } = createRequire(process.env.PACKAGES + "/x.js")("@hubspot/api-client");
const hubspot = new Client({ accessToken: "pat-of-a-contract-test", basePath: process.env.CRM_URL });
const { basicApi, batchApi, searchApi } = hubspot.crm.contacts;
const error = async (call) => {
  try { await call; } catch (error) { return error; }
  assert.fail("an error was expected");
};

if (process.env.PART === "limit") {
  for (let n = 0; n < 3; n++) await basicApi.getPage();
  const limited = await error(basicApi.getPage());
  assert.deepEqual([limited.code, limited.body.policyName, limited.body.errorType], [429, "TEN_SECONDLY_ROLLING", "RATE_LIMIT"]);
  assert.equal(limited.headers["x-hubspot-ratelimit-remaining"], "0");
  console.log("all good");
  process.exit(0);
}

// Made once; the second to try is told who was first.
const ada = await basicApi.create({ properties: { email: "ada@example.com", firstname: "Ada", plan: "pro" }, associations: [] });
assert.ok(ada.createdAt instanceof Date && ada.properties.plan === "pro" && ada.archived === false);
const taken = await error(basicApi.create({ properties: { email: "ADA@example.com" }, associations: [] }));
assert.deepEqual([taken.code, taken.body.category, taken.body.message], [409, "CONFLICT", `Contact already exists. Existing ID: ${ada.id}`]);
const wrong = await error(basicApi.create({ properties: { email: "nobody", colour: "red" }, associations: [] }));
assert.deepEqual([wrong.code, wrong.body.category], [400, "VALIDATION_ERROR"]);
assert.deepEqual(wrong.body.errors.map((one) => one.code).sort(), ["INVALID_EMAIL", "PROPERTY_DOESNT_EXIST"]);

// The index is behind; a read is not.
const byEmail = { filterGroups: [{ filters: [{ propertyName: "email", operator: "EQ", value: "ada@example.com" }] }], properties: ["email", "plan"], limit: 10, sorts: ["email"] };
const fresh = await basicApi.create({ properties: { email: "grace@example.com" }, associations: [] });
const unseen = { ...byEmail, filterGroups: [{ filters: [{ propertyName: "hs_object_id", operator: "EQ", value: fresh.id }] }] };
assert.equal((await searchApi.doSearch(unseen)).total, 0, "a search sees a write at once");
assert.equal((await searchApi.doSearch(byEmail)).results[0].properties.plan, "pro");
const read = await basicApi.getById("ada@example.com", ["plan", "phone"], undefined, undefined, false, "email");
assert.deepEqual([read.id, read.properties.plan, read.properties.phone], [ada.id, "pro", null]);
const updated = await basicApi.update(ada.id, { properties: { plan: "basic", seats: "3" } });
assert.equal(updated.properties.plan, "basic");
assert.equal((await error(basicApi.getById("999"))).code, 404);

// Batches.
const made = await batchApi.create({ inputs: [1, 2, 3].map((n) => ({ properties: { email: `b${n}@example.com` }, associations: [] })) });
assert.deepEqual([made.status, made.results.length], ["COMPLETE", 3]);
const upserted = await batchApi.upsert({ inputs: [{ id: "cus_1", idProperty: "stripe_id", properties: { email: "c@example.com" } }, { id: "ada@example.com", idProperty: "email", properties: { plan: "pro" } }] });
assert.deepEqual(upserted.results.map((one) => one._new), [true, false]);
const partly = await batchApi.read({ inputs: [{ id: ada.id }, { id: "999" }], properties: ["plan"], propertiesWithHistory: [] });
assert.deepEqual([partly.numErrors, partly.errors[0].category, partly.errors[0].context.ids, partly.results[0].properties.plan], [1, "OBJECT_NOT_FOUND", ["999"], "pro"]);
const changed = await batchApi.update({ inputs: made.results.map(({ id }) => ({ id, properties: { plan: "pro" } })) });
assert.equal(changed.results[2].properties.plan, "pro");
await batchApi.archive({ inputs: [{ id: made.results[2].id }] });

// Pages of the list and of a search.
const pages = async (ask) => {
  const ids = [];
  let after;
  for (let page = 0; page < 10; page++) {
    const answer = await ask(after);
    ids.push(...answer.results.map((one) => one.id));
    after = answer.paging?.next?.after;
    if (!after) break;
  }
  assert.equal(new Set(ids).size, ids.length, "the list comes in pages, no contact twice");
  return ids;
};
assert.equal((await pages((after) => basicApi.getPage(2, after))).length, 5);
assert.equal((await hubspot.crm.contacts.getAll(2)).length, 5);
const pro = { filterGroups: [{ filters: [{ propertyName: "plan", operator: "IN", values: ["pro"] }] }], properties: ["email"], limit: 1, sorts: [] };
assert.equal((await pages((after) => searchApi.doSearch({ ...pro, after }))).length, 3);

// Archived, merged.
await basicApi.archive(fresh.id);
assert.equal((await error(basicApi.getById(fresh.id))).code, 404);
assert.equal((await basicApi.getById(fresh.id, undefined, undefined, undefined, true)).archived, true);
const merged = await basicApi.merge({ primaryObjectId: ada.id, objectIdToMerge: made.results[0].id });
assert.equal((await basicApi.getById(made.results[0].id)).id, merged.id, "an old id leads to the merged contact");

// Definitions of properties, tasks, associations.
const { coreApi } = hubspot.crm.properties;
assert.equal((await error(coreApi.getByName("contacts", "size"))).code, 404);
const size = await coreApi.create("contacts", { name: "size", label: "Size", type: "enumeration", fieldType: "select", groupName: "contactinformation", options: [{ label: "Big", value: "big", displayOrder: 0, hidden: false }] });
assert.equal(size.options[0].value, "big");
assert.equal((await error(basicApi.update(merged.id, { properties: { size: "small" } }))).body.errors[0].code, "INVALID_OPTION");
assert.ok((await coreApi.getAll("contacts")).results.some((one) => one.name === "size"));
const types = [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 204 }];
const task = await hubspot.crm.objects.tasks.basicApi.create({ properties: { hs_timestamp: "2026-01-01T00:00:00Z", hs_task_subject: "call" }, associations: [{ to: { id: merged.id }, types }] });
const links = hubspot.crm.associations.v4.basicApi;
assert.deepEqual((await links.getPage("contacts", merged.id, "tasks")).results.map((one) => String(one.toObjectId)), [task.id]);
await links.createDefault("contacts", made.results[1].id, "tasks", task.id);
assert.equal((await links.getPage("tasks", task.id, "contacts")).results.length, 2);
await links.archive("tasks", task.id, "contacts", merged.id);
assert.equal((await links.getPage("contacts", merged.id, "tasks")).results.length, 0);
console.log("all good");
