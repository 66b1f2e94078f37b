"""A course platform on Flask, SQLite and Stripe's own library: takes webhooks in threads, keeps what each customer has, and
leaves calls to CRM, desk and mail to workers. BUG=name plants one mistake (see ../README.md); without it the app is sound."""

import hashlib
import hmac
import json
import os
import sys
import time
import traceback

import stripe
from flask import Flask, jsonify, request

import billing
import jobs
from bugs import bug
from store import Store

SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET")
if not SECRET:
    sys.exit("STRIPE_WEBHOOK_SECRET is not set")
LIVEMODE = os.environ.get("STRIPE_LIVEMODE") == "true"
store = Store(os.environ.get("DATABASE", "courses.db"))
app = Flask(__name__)


def verified(body, header):
    """The event as plain values; an exception where the signature or the body is bad."""
    if bug("first-v1-only"):
        parts = [part.split("=", 1) for part in header.split(",")]
        at = next(value for key, value in parts if key == "t")
        first = next(value for key, value in parts if key == "v1")
        mine = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(first, mine) or abs(time.time() - int(at)) > 300:
            raise ValueError("bad signature")
    else:
        stripe.Webhook.construct_event(body, header, SECRET, tolerance=300)
    event = json.loads(body)
    if not isinstance(event.get("data", {}).get("object"), dict) or not event.get("id") or not event.get("type"):
        raise ValueError("no event")
    return event


def take(event, header, body):
    """One event, all or nothing: whether it was seen, what it changes, and the jobs that follow from it."""
    if bug("seen-before-applied"):
        with store.writing() as tx:
            if not tx.first_time(event):
                return
        with store.writing() as tx:
            billing.apply(tx, event)
        return
    if bug("check-then-insert"):
        with store.reading() as tx:
            if tx.knows(event["id"]):
                return
        with store.writing() as tx:
            tx.first_time(event)
            billing.apply(tx, event)
        return
    key = hashlib.sha256(header.encode() + body).hexdigest() if bug("fingerprint") else event["id"]
    with store.writing() as tx:
        if tx.first_time({**event, "id": key}):
            billing.apply(tx, event)
    jobs.wake()


@app.post("/webhooks/stripe")
def webhook():
    body = request.get_data()
    first_time = True
    if bug("forged-marks-seen"):
        # "The cheap work first": what was seen is noted before the signature is looked at.
        try:
            with store.writing() as tx:
                first_time = tx.first_time(json.loads(body))
        except (ValueError, KeyError, TypeError):
            pass
    try:
        event = verified(body, request.headers.get("stripe-signature", ""))
    except Exception:  # noqa: BLE001: whatever is wrong with a body, its sender gets the same plain answer
        if bug("stack-trace"):
            return traceback.format_exc(), 400
        return jsonify(error="bad signature or body"), 400
    # Events of another mode or of a connected account are nobody's here.
    if event.get("livemode") != LIVEMODE or event.get("account"):
        return jsonify(received=True)
    try:
        if bug("forged-marks-seen"):
            with store.writing() as tx:
                if first_time:
                    billing.apply(tx, event)
        else:
            take(event, request.headers.get("stripe-signature", ""), body)
    except Exception as error:  # noqa: BLE001: Stripe sends it again
        print(f"{event['id']} {event['type']}: {error!r}", file=sys.stderr)
        return jsonify(error="try again"), 500
    return jsonify(received=True)


@app.get("/customers/<customer>")
def customer(customer):
    with store.reading() as tx:
        found = tx.customer(customer)
    return (jsonify(found), 200) if found else (jsonify({}), 404)


@app.get("/health")
def health():
    return jsonify(ok=True)


if __name__ == "__main__":
    jobs.start(store)
    app.run("127.0.0.1", int(os.environ.get("PORT", "0")), threaded=True)
