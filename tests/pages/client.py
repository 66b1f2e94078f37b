"""Stripe's PyPI client against the double at STRIPE_DOUBLE."""
import os
import stripe

client = stripe.StripeClient("sk_test_of_a_contract_test", base_addresses={"api": os.environ["STRIPE_DOUBLE"]})
params = {"email": "ada@example.com", "metadata": {"user_id": "u1"}}
customer = client.v1.customers.create(params, {"idempotency_key": "one customer"})
again = client.v1.customers.create(params, {"idempotency_key": "one customer"})
assert again.id == customer.id
session = client.v1.checkout.sessions.create({
    "mode": "subscription",
    "customer": customer.id,
    "line_items": [{"price": "price_1SZSxhQmZ4vTe8RaiscJ51Xp", "quantity": 1}],
    "success_url": "http://127.0.0.1:1/done?session_id={CHECKOUT_SESSION_ID}",
})
assert session.status == "open" and session.url.startswith(os.environ["STRIPE_DOUBLE"]), session.url
assert client.v1.checkout.sessions.expire(session.id).status == "expired"
types = [event.type for event in client.v1.events.list({"limit": 2}).auto_paging_iter()]
assert types == ["checkout.session.expired", "customer.created"], types
try:
    client.v1.checkout.sessions.create({"mode": "subscription", "colour": "red"})
    raise SystemExit("an unknown parameter was taken")
except stripe.InvalidRequestError as error:
    assert error.param == "colour" and error.code == "parameter_unknown", error
print("all good")
