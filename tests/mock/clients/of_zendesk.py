"""Zenpy (a widely used client, not Zendesk's own: Zendesk publishes none for Python) against the desk at SUPPORT_URL.

Zenpy asks https at its own host names. Its documented option is a session of one's own; this one's adapter sends what is bound
for the host to the double, as an app in production would send it through a proxy.
"""
import os

import requests
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, User
from zenpy.lib.exception import APIException, RatelimitBudgetExceeded, RecordNotFoundException


class ToTheDouble(requests.adapters.HTTPAdapter):
    def send(self, request, **more):
        shown = request.url
        request.url = request.url.replace("https://acme.zendesk.com", os.environ["SUPPORT_URL"])
        response = super().send(request, **more)
        request.url = shown
        return response


session = requests.Session()
session.mount("https://", ToTheDouble())
zendesk = Zenpy(subdomain="acme", email="agent@example.com", token="of-a-contract-test", session=session,
                disable_cache=True, ratelimit_budget=1)


def error(kind, call, *arguments):
    try:
        call(*arguments)
    except kind as raised:
        return raised
    raise SystemExit("an error was expected")


if os.environ["PART"] == "limit":
    for _ in range(3):
        zendesk.users.me()
    # It waits as long as Retry-After says, unless its budget of waiting is smaller.
    error(RatelimitBudgetExceeded, zendesk.users.me)
    print("all good")
    raise SystemExit(0)


def ticket(external_id):
    return Ticket(subject="Payment failed", description="The card was declined.", external_id=external_id,
                  requester=User(name="Ada", email="ada@example.com"), tags=["queue_billing"])


first = zendesk.tickets.create(ticket("in_1")).ticket
assert (first.external_id, first.status, first.tags) == ("in_1", "new", ["queue_billing"])
fresh = zendesk.tickets.create(ticket("in_2")).ticket
assert [one.id for one in zendesk.search(type="ticket", external_id="in_2")] == [], "a search sees a write at once"
assert [one.id for one in zendesk.tickets(external_id="in_2")] == [fresh.id]
assert [one.id for one in zendesk.search(type="ticket", external_id="in_1")] == [first.id]

first.status = "open"
first.comment = Comment(body="again", public=False)
assert zendesk.tickets.update(first).ticket.status == "open"
assert [one.body for one in zendesk.tickets.comments(first.id)] == ["The card was declined.", "again"]
assert "more" in zendesk.tickets.add_tags(first.id, ["more"])
assert error(APIException, zendesk.tickets.create, Ticket(subject="no comment")).response.status_code == 422
error(RecordNotFoundException, lambda: zendesk.tickets(id=999))

job = zendesk.tickets.create([ticket(f"many_{n}") for n in range(100)])
assert zendesk.job_status(id=job.id).status == "completed"
ids = [one.id for one in zendesk.tickets()]
assert len(set(ids)) == len(ids) == 102, f"the list comes in pages: {len(ids)}"

ada = zendesk.users.create_or_update(User(name="Ada", email="ada@example.com", external_id="cus_1"))
assert ada.id == first.requester_id
assert error(APIException, zendesk.users.create, User(name="Ada", email="ada@example.com")).response.status_code == 422
assert [one.id for one in zendesk.users.search(query="ada@example.com")] == [ada.id]
zendesk.tickets.delete(fresh)
error(RecordNotFoundException, lambda: zendesk.tickets(id=fresh.id))
print("all good")
