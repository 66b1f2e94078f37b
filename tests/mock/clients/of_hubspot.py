"""HubSpot's PyPI client against the CRM double at CRM_URL."""
import json
import os

from hubspot import HubSpot
from hubspot.crm.contacts import (
    ApiException, BatchInputSimplePublicObjectBatchInputUpsert, BatchReadInputSimplePublicObjectId, Filter, FilterGroup,
    PublicMergeInput, PublicObjectSearchRequest, SimplePublicObjectBatchInputUpsert, SimplePublicObjectId,
    SimplePublicObjectInput, SimplePublicObjectInputForCreate,
)
from hubspot.crm.properties import OptionInput, PropertyCreate

client = HubSpot(access_token="pat-of-a-contract-test", host=os.environ["CRM_URL"])
basic, batch, search = client.crm.contacts.basic_api, client.crm.contacts.batch_api, client.crm.contacts.search_api


def error(call, **arguments):
    try:
        call(**arguments)
    except ApiException as raised:
        return raised, json.loads(raised.body)
    raise SystemExit("an error was expected")


def create(**properties):
    return basic.create(simple_public_object_input_for_create=SimplePublicObjectInputForCreate(properties=properties, associations=[]))


if os.environ["PART"] == "limit":
    for _ in range(3):
        basic.get_page()
    raised, body = error(basic.get_page)
    assert (raised.status, body["policyName"]) == (429, "TEN_SECONDLY_ROLLING"), body
    assert raised.headers["x-hubspot-ratelimit-remaining"] == "0", raised.headers
    print("all good")
    raise SystemExit(0)

ada = create(email="ada@example.com", firstname="Ada", plan="pro")
assert ada.properties["plan"] == "pro" and ada.created_at.year == 2026
raised, body = error(create, email="Ada@Example.com")
assert (raised.status, body["message"]) == (409, f"Contact already exists. Existing ID: {ada.id}"), body
raised, body = error(create, email="nobody", colour="red")
assert sorted(one["code"] for one in body["errors"]) == ["INVALID_EMAIL", "PROPERTY_DOESNT_EXIST"], body

grace = create(email="grace@example.com")


def found(name, value, **more):
    group = FilterGroup(filters=[Filter(property_name=name, operator="EQ", value=value)])
    return search.do_search(public_object_search_request=PublicObjectSearchRequest(filter_groups=[group], properties=["email", "plan"], **more))


assert found("hs_object_id", grace.id).total == 0, "a search sees a write at once"
assert found("email", "ada@example.com").results[0].properties["plan"] == "pro"
read = basic.get_by_id("ada@example.com", id_property="email", properties=["plan", "phone"])
assert (read.id, read.properties["phone"]) == (ada.id, None)
updated = basic.update(ada.id, simple_public_object_input=SimplePublicObjectInput(properties={"plan": "basic"}))
assert updated.properties["plan"] == "basic"

inputs = [
    SimplePublicObjectBatchInputUpsert(id="cus_1", id_property="stripe_id", properties={"email": "c@example.com"}),
    SimplePublicObjectBatchInputUpsert(id="ada@example.com", id_property="email", properties={"plan": "pro"}),
]
upserted = batch.upsert(batch_input_simple_public_object_batch_input_upsert=BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
assert [one.new for one in upserted.results] == [True, False]
asked = BatchReadInputSimplePublicObjectId(inputs=[SimplePublicObjectId(id=ada.id), SimplePublicObjectId(id="999")], properties=["plan"], properties_with_history=[])
partly = batch.read(batch_read_input_simple_public_object_id=asked)
assert (partly.num_errors, partly.errors[0].context["ids"]) == (1, ["999"]), partly

ids, after = [], None
for _ in range(10):
    page = basic.get_page(limit=1, after=after)
    ids += [one.id for one in page.results]
    after = page.paging.next.after if page.paging else None
    if after is None:
        break
assert len(set(ids)) == len(ids) == 3, f"the list comes in pages, no contact twice: {ids}"
assert len(client.crm.contacts.get_all()) == 3

basic.archive(grace.id)
assert error(basic.get_by_id, contact_id=grace.id)[0].status == 404
assert basic.get_by_id(grace.id, archived=True).archived is True
merged = basic.merge(public_merge_input=PublicMergeInput(primary_object_id=ada.id, object_id_to_merge=upserted.results[0].id))
assert basic.get_by_id(ada.id).id == merged.id

properties = client.crm.properties.core_api
made = properties.create("contacts", property_create=PropertyCreate(
    name="size", label="Size", type="enumeration", field_type="select", group_name="contactinformation",
    options=[OptionInput(label="Big", value="big", display_order=0, hidden=False)]))
assert made.options[0].value == "big"
assert any(one.name == "size" for one in properties.get_all("contacts").results)
raised, body = error(basic.update, contact_id=merged.id, simple_public_object_input=SimplePublicObjectInput(properties={"size": "small"}))
assert body["errors"][0]["code"] == "INVALID_OPTION", body
print("all good")
