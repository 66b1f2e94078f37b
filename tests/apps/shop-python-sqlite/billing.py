"""What an event of Stripe's means for the platform. Called within the transaction that notes the event as seen."""

import json

import jobs
from bugs import bug

RANK = {"customer.subscription.created": 0, "customer.subscription.updated": 1, "customer.subscription.deleted": 2}


def id_of(value):
    return value.get("id") if isinstance(value, dict) else value


def apply(tx, event):
    kind, thing = event["type"], event["data"]["object"]
    if kind in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
        checkout(tx, thing)
    elif kind in RANK:
        subscription(tx, event, thing)
    elif kind == "invoice.paid":
        invoice_paid(tx, thing)
    elif kind == "invoice.payment_failed":
        payment_failed(tx, thing)
    elif kind == "charge.succeeded":
        tx.charge(thing["id"], id_of(thing["customer"]), thing["created"], thing["amount"])
    elif kind in ("refund.created", "refund.updated", "refund.failed"):
        status = "failed" if thing["status"] in ("failed", "canceled") else thing["status"]
        tx.refund(thing["id"], id_of(thing["charge"]), thing["amount"], status)


def checkout(tx, session):
    customer = id_of(session.get("customer"))
    if not customer:
        return
    details = session.get("customer_details") or {}
    email = details.get("email") or session.get("customer_email")
    tx.meet(customer, email, session.get("client_reference_id"))
    if email:
        contact(tx, customer, email, details.get("name"))
    paid = session["payment_status"] in ("paid", "no_payment_required")
    if paid:
        tx.purchased(customer)
    if session.get("subscription") and (paid or bug("unpaid-checkout")):
        tx.mark_paid(id_of(session["subscription"]))


def contact(tx, customer, email, name):
    tx.enqueue("contact", customer, {"customer": customer, "email": email, "name": name})


def subscription_of(invoice):
    """Since the version "basil" under `parent`, before that at the top."""
    if bug("old-invoice-path"):
        return id_of(invoice.get("subscription"))
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    return id_of(details.get("subscription") or invoice.get("subscription"))


def invoice_paid(tx, invoice):
    customer = known(tx, invoice)
    if invoice.get("customer_email"):
        contact(tx, customer, invoice["customer_email"], invoice.get("customer_name"))
    subscription = subscription_of(invoice)
    # An invoice of nothing is no payment.
    if invoice["amount_paid"] > 0:
        if subscription:
            tx.mark_paid(subscription)
        if invoice.get("customer_email"):
            tx.enqueue("receipt", invoice["id"], {"invoice": invoice["id"], "to": invoice["customer_email"]})


def payment_failed(tx, invoice):
    if bug("old-invoice-path") and not subscription_of(invoice):
        return  # "A one-off invoice": none of ours.
    customer = known(tx, invoice)
    email = invoice.get("customer_email")
    if email:
        contact(tx, customer, email, invoice.get("customer_name"))
    data = {"invoice": invoice["id"], "customer": customer, "email": email}
    if bug("queue-in-memory"):
        jobs.later("ticket", data)
    else:
        tx.enqueue("ticket", invoice["id"], data)


def known(tx, invoice):
    """Events come in any order: an invoice may be the first that is heard of a customer."""
    customer = id_of(invoice["customer"])
    if bug("seen-before-applied") and not tx.is_known(customer):
        raise LookupError(f"no customer {customer} yet")
    tx.meet(customer, invoice.get("customer_email"))
    return customer


def subscription(tx, event, now):
    customer = id_of(now["customer"])
    if bug("deletion-ends-all") and RANK[event["type"]] == 2:
        tx.end_all(customer)
    held = tx.subscription(now["id"])
    if held is not None and not is_newer(event, held):
        return
    items = (now.get("items") or {}).get("data") or [{}]
    tx.write_subscription(
        id=now["id"],
        customer=customer,
        status=now["status"],
        plan=((items[0].get("price") or {}).get("metadata") or {}).get("plan"),
        started=now["created"],
        told_at=event["created"],
        told_by=event["type"],
        ended=int(RANK[event["type"]] == 2),
        body=json.dumps(now),
    )


def is_newer(event, held):
    """Whether an event tells a newer state than the one that is held. Times are whole seconds: within one, a creation comes
    before an update, and of two updates the one that changed what is held is the newer one."""
    mine, its = RANK[event["type"]], RANK[held["told_by"]]
    if held["ended"]:
        return False
    if mine == 2 or bug("older-snapshot-wins"):
        return True
    if event["created"] != held["told_at"]:
        return event["created"] > held["told_at"]
    if mine != its:
        return mine > its
    return agrees(event["data"].get("previous_attributes") or {}, json.loads(held["body"]))


def agrees(part, whole):
    """Whether every value of `part` is in `whole` too."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(agrees(value, whole.get(key)) for key, value in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) <= len(whole) and all(map(agrees, part, whole))
    return part == whole
