"""Carries out jobs: a contact in the CRM, a ticket at the desk, a receipt by mail. A job is claimed for a while only, so that
one whose worker died is taken up by another, and each call can be made again without harm."""

import json
import os
import queue
import re
import threading
import time

import requests

from bugs import bug

CRM = os.environ.get("HUBSPOT_BASE_URL")
DESK = os.environ.get("ZENDESK_URL")
MAIL = os.environ.get("MAIL_URL")
TIMEOUT = int(os.environ.get("UPSTREAM_TIMEOUT_MS", "10000")) / 1000
LONGEST_WAIT = 1.0
in_memory = queue.Queue()
work_there = threading.Event()


class Refused(Exception):
    def __init__(self, response):
        super().__init__(f"answered {response.status_code}")
        self.response = response
        after = response.headers.get("retry-after", "0")
        self.retry_after = float(after) if after.isdigit() else 0.0


def call(method, url, token, body=None, params=None, headers=None):
    response = requests.request(
        method, url, json=body, params=params, timeout=TIMEOUT, headers={"authorization": f"Bearer {token}", **(headers or {})}
    )
    if not response.ok:
        raise Refused(response)
    return response.json()


def crm(path, body, method="POST"):
    return call(method, f"{CRM}/crm/v3/objects/contacts{path}", os.environ.get("HUBSPOT_TOKEN", "pat-test"), body)


def desk(method, path, body=None, params=None, headers=None):
    return call(method, f"{DESK}/api/v2{path}", os.environ.get("ZENDESK_TOKEN", "zd-test"), body, params, headers)


def contact(customer, email, name):
    """E-mails are unique in the CRM: whoever made the contact, its refusal names it."""
    wanted = {"filters": [{"propertyName": "email", "operator": "EQ", "value": email}]}
    if crm("/search", {"filterGroups": [wanted], "properties": ["email"], "limit": 1})["results"]:
        return
    first, _, last = (name or "").partition(" ")
    if bug("contact-in-two-steps"):
        made = crm("", {"properties": {"stripe_customer_id": customer, "firstname": first, "lastname": last}})
        return crm(f"/{made['id']}", {"properties": {"email": email}}, method="PATCH")
    properties = {"email": email, "firstname": first, "lastname": last, "lifecyclestage": "customer"}
    try:
        crm("", {"properties": properties})
    except Refused as refused:
        if refused.response.status_code != 409 or not re.search(r"Existing ID: \d+", refused.response.text):
            raise


def ticket(invoice, customer, email):
    """One ticket an invoice: looked for by our key first, and made under an idempotency key."""
    wanted = {
        "subject": f"Payment failed for {customer}",
        "comment": {"body": f"Invoice {invoice} could not be paid."},
        "external_id": invoice,
        "tags": ["queue_billing"],
        "requester": {"email": email, "name": email},
    }
    if bug("search-then-create"):
        found = desk("GET", "/search.json", params={"query": f"type:ticket external_id:{invoice}"})
        if found["count"] == 0:
            desk("POST", "/tickets.json", {"ticket": wanted})
        return
    if not desk("GET", "/tickets.json", params={"external_id": invoice})["tickets"]:
        desk("POST", "/tickets.json", {"ticket": wanted}, headers={"idempotency-key": f"failed-{invoice}"})


def receipt(invoice, to):
    """One mail an invoice: the mail service sends one under one key."""
    if not MAIL:
        return
    headers = {} if bug("mail-not-keyed") else {"idempotency-key": f"receipt-{invoice}"}
    mail = {
        "from": "courses@example.com",
        "to": to,
        "subject": f"Receipt for {invoice}",
        "text": "Thank you.",
        "tags": [{"name": "kind", "value": "receipt"}],
    }
    call("POST", f"{MAIL}/emails", os.environ.get("MAIL_TOKEN", "re_test"), mail, headers=headers)


KINDS = {"contact": contact, "ticket": ticket, "receipt": receipt}


def work(store):
    while True:
        with store.writing() as tx:
            job = tx.claim()
        if job is None:
            work_there.wait(0.05)
            work_there.clear()
            continue
        try:
            KINDS[job["kind"]](**json.loads(job["data"]))
        except (requests.RequestException, Refused, ValueError, KeyError) as error:
            wait = max(getattr(error, "retry_after", 0), min(LONGEST_WAIT, 0.05 * 2 ** job["attempts"]))
            with store.writing() as tx:
                tx.put_off(job["id"], wait)
        else:
            with store.writing() as tx:
                tx.finish(job["id"])


def work_in_memory():
    """With `queue-in-memory`: the pool that needs no table."""
    while True:
        kind, data = in_memory.get()
        time.sleep(1)  # gathers what comes together
        try:
            KINDS[kind](**data)
        except (requests.RequestException, Refused, ValueError, KeyError):
            in_memory.put((kind, data))


def later(kind, data):
    in_memory.put((kind, data))


def wake():
    work_there.set()


def forever(store):
    """A lock that is held for long must not end the worker."""
    while True:
        try:
            work(store)
        except Exception as error:  # noqa: BLE001
            print(f"worker: {error!r}", flush=True)
            time.sleep(1)  # gathers what comes together


def start(store, count=2):
    if not CRM or not DESK:
        return
    for _ in range(count):
        threading.Thread(target=forever, args=(store,), daemon=True).start()
    if bug("queue-in-memory"):
        threading.Thread(target=work_in_memory, daemon=True).start()
