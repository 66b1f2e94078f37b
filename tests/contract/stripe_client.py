"""Stripe's PyPI client against the twin at STRIPE_DOUBLE: every resource of the stories, pages, expansions, versions, errors and
the library's own repetitions. Nothing but the address is changed."""
import os
import stripe


def client(version):
    addresses = {"api": os.environ["STRIPE_DOUBLE"]}
    key = "sk_test_of_a_contract_test"
    return stripe.StripeClient(key, stripe_version=version, base_addresses=addresses, max_network_retries=5).v1


def ids(page):
    return [one.id for one in page.auto_paging_iter()]


def refused(call, code, status):
    try:
        call()
    except stripe.StripeError as error:
        assert (error.code, error.http_status) == (code, status), (error.code, error.http_status, error)
        assert error.headers["request-id"].startswith("req_"), error.headers
        return
    raise SystemExit(f"not refused: {code}")


new, old = client("2025-09-30.clover"), client("2024-06-20")
customer = "cus_TZbnffBNpdag7f"
subscription = new.subscriptions.retrieve("sub_1SpnLRQmZ4vTe8RaIlLd2y35", {"expand": ["latest_invoice.payments", "customer"]})
assert subscription.status == "active" and subscription.customer.email == "ada@example.com"
item = new.subscription_items.list({"subscription": subscription.id}).data[0]
assert new.subscription_items.retrieve(item.id).price.lookup_key == "pro_monthly"
assert ids(new.subscriptions.list({"customer": customer})) == [subscription.id]
invoices = ids(new.invoices.list({"customer": customer, "limit": 1}))
assert len(invoices) >= 3 and len(set(invoices)) == len(invoices), invoices
invoice = new.invoices.retrieve(invoices[-1], {"expand": ["payments.data.payment.payment_intent"]})
intent = invoice.payments.data[0].payment.payment_intent
assert ids(new.invoice_payments.list({"invoice": invoice.id})) == [invoice.payments.data[0].id]
assert new.invoice_payments.retrieve(invoice.payments.data[0].id).status == "paid"
session = new.checkout.sessions.retrieve("cs_test_a1yiBKz71b3KCchlpFzMFOsKpbqCPkYxMxIA1X4Ia8g2CP00qcnOyp1gM9")
assert new.checkout.sessions.line_items.list(session.id).data[0].price.id == item.price.id
assert session.id in ids(new.checkout.sessions.list({"customer": customer}))
charge = new.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction", "refunds"]})
assert charge.balance_transaction.fee > 0
assert ids(new.charges.list({"payment_intent": intent.id})) == [charge.id]
assert intent.id in ids(new.payment_intents.list({"customer": customer, "limit": 1}))
assert ids(new.refunds.list({"charge": charge.id})) == [one.id for one in charge.refunds.data]
assert new.refunds.retrieve(charge.refunds.data[0].id).charge == charge.id
dispute = new.disputes.list({"charge": charge.id}).data[0]
assert new.disputes.retrieve(dispute.id).status == "won"
setup = new.setup_intents.list({"customer": customer}).data[0]
assert new.setup_intents.retrieve(setup.id).status == "succeeded"
assert new.payment_methods.retrieve(intent.payment_method).card.last4 == "4242"
assert intent.payment_method in ids(new.customers.payment_methods.list(customer))
price = new.prices.retrieve(item.price.id, {"expand": ["product"]})
assert new.products.retrieve(price.product.id).name == price.product.name
assert price.id in ids(new.prices.list({"active": True}))
assert len(ids(new.products.list({"limit": 1}))) >= 3
assert len(ids(new.invoice_items.list({"customer": customer}))) >= 2
assert ids(new.customers.list({"email": "ada@example.com"})) == [customer]
assert [one.id for one in new.customers.search({"query": "email:'ada@example.com'"}).data] == [customer]
events = list(new.events.list({"limit": 7, "type": "invoice.*"}).auto_paging_iter())
assert len(events) > 14 and all(event.type.startswith("invoice.") for event in events)
assert new.events.retrieve(events[0].id).type == events[0].type
assert 13 <= len(ids(new.events.list({"created": {"lte": 1768471201}}))) < 40

# One subscription and one invoice in two versions.
assert old.subscriptions.retrieve(subscription.id)["current_period_end"] == item.current_period_end
assert "current_period_end" not in subscription
before = old.invoices.retrieve(invoice.id)
assert (before["subscription"], before["payment_intent"]) == (invoice.parent.subscription_details.subscription, intent.id)
assert "subscription" not in invoice

refused(lambda: new.invoices.retrieve("in_1None"), "resource_missing", 404)
refused(lambda: new.charges.list({"colour": "red"}), "parameter_unknown", 400)
refused(lambda: new.subscription_items.list({}), "parameter_missing", 400)

# The library repeats by itself what is answered 429 and 409, under one key: each is done once.
made = new.customers.create({"email": "once@example.com"})
assert ids(new.customers.list({"email": "once@example.com"})) == [made.id]
assert new.customers.update(customer, {"metadata": {"seen": "yes"}}).metadata["seen"] == "yes"
assert new.billing_portal.sessions.create({"customer": customer}).url.startswith("https:")
assert new.subscriptions.update(subscription.id, {"cancel_at_period_end": True}).cancel_at_period_end is True
assert new.events.list({"limit": 1}).data[0].type == "customer.subscription.updated"
assert new.subscriptions.cancel(subscription.id).status == "canceled"
print("all good")
