"""Intercom's PyPI client against the workspace at CRM_URL, which is the one at SUPPORT_URL too."""
import os

from intercom import (
    ContactReplyIntercomUserIdRequest, CreateOrUpdateTagRequest, Intercom,
    SingleFilterSearchRequest, StartingAfterPaging,
)
from intercom.conversations import ConversationsManageRequestBody_Close, CreateConversationRequestFrom
from intercom.core.api_error import ApiError

crm = Intercom(token="of-a-contract-test", base_url=os.environ["CRM_URL"])
support = Intercom(token="of-a-contract-test", base_url=os.environ["SUPPORT_URL"])
once = {"max_retries": 0}


def error(call, *arguments, **more):
    try:
        call(*arguments, **more, request_options=once)
    except ApiError as raised:
        return raised
    raise SystemExit("an error was expected")


def code(raised):
    body = raised.body
    errors = body["errors"] if isinstance(body, dict) else body.errors
    return errors[0]["code"] if isinstance(errors[0], dict) else errors[0].code


if os.environ["PART"] == "limit":
    for _ in range(3):
        crm.contacts.list()
    limited = error(crm.contacts.list)
    assert (limited.status_code, code(limited)) == (429, "rate_limit_exceeded"), limited.body
    print("all good")
    raise SystemExit(0)


def create(**fields):
    return crm.contacts.create(request=fields)


ada = create(external_id="u1", email="ada@example.com", name="Ada", custom_attributes={"plan": "pro"})
assert (ada.role, ada.custom_attributes["plan"]) == ("user", "pro")
taken = error(crm.contacts.create, request={"email": "ADA@example.com"})
assert (taken.status_code, code(taken)) == (409, "conflict"), taken.body
lead = create(role="lead", name="Somebody")


def found(field, value, of=crm.contacts):
    query = SingleFilterSearchRequest(field=field, operator="=", value=value)
    return [one.id for one in of.search(query=query, pagination=StartingAfterPaging(per_page=5))]


assert found("name", "Somebody") == [], "a search sees a write at once"
assert found("email", "ada@example.com") == [ada.id]
assert crm.contacts.find(ada.id).name == "Ada"
assert crm.contacts.update(ada.id, custom_attributes={"plan": "basic"}).custom_attributes["plan"] == "basic"
assert error(crm.contacts.find, "nobody").status_code == 404
assert crm.contacts.merge_lead_in_user(lead_id=lead.id, contact_id=ada.id).id == ada.id
tag = crm.tags.create(request=CreateOrUpdateTagRequest(name="queue_billing"))
crm.tags.tag_contact(ada.id, tag_id=tag.id)

for n in range(6):
    create(email=f"p{n}@example.com")
ids = []
for one in crm.contacts.list(per_page=3):
    ids.append(one.id)
    if len(ids) > 50:
        break
assert len(ids) == len(set(ids)) == 7, f"the list comes in pages: {len(ids)}"

message = support.conversations.create(from_=CreateConversationRequestFrom(type="user", id=ada.id), body="Payment of in_1 failed")
talk = message.conversation_id
support.conversations.update(talk, custom_attributes={"external_id": "in_1"})
support.tags.tag_conversation(talk, tag_id=tag.id, admin_id="1")
reply = ContactReplyIntercomUserIdRequest(message_type="comment", type="user", intercom_user_id=ada.id, body="please")
replied = support.conversations.reply(talk, request=reply)
assert replied.conversation_parts.conversation_parts[0].body == "please"
closed = support.conversations.manage(talk, request=ConversationsManageRequestBody_Close(type="admin", admin_id="1"))
assert (closed.state, closed.open) == ("closed", False)
support.conversations.find(talk)
assert found("custom_attributes.external_id", "in_1", support.conversations) == [talk]
ticket = support.tickets.create(ticket_type_id="1", contacts=[{"email": "ada@example.com"}],
                                request_options={"additional_body_parameters": {"ticket_attributes": {"_default_title_": "Payment failed", "external_id": "in_2"}}})
assert support.tickets.update(ticket.id, open=False).open is False
assert support.tickets.get(ticket.id).contacts.contacts[0].id == ada.id
print("all good")
