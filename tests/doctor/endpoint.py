"""A sound endpoint with Stripe's own library, and one that writes the body anew. Prints its port.

In the modes `flask…` it is an app of Flask's, which calls every text HTML."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

MODE = sys.argv[1]
SECRET = os.environ["STRIPE_WEBHOOK_SECRET"]


class Handler(BaseHTTPRequestHandler):
    def end(self, status, text="{}"):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        self.end(200 if self.path == "/healthz" else 405)

    def do_OPTIONS(self):
        self.end(405)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            if MODE == "dumped":
                body = json.dumps(json.loads(body))
            stripe.Webhook.construct_event(body, self.headers.get("stripe-signature", ""), SECRET)
        except (ValueError, stripe.SignatureVerificationError):
            return self.end(400, '{"error": "bad signature"}')
        return self.end(200, '{"received": true}')

    def log_message(self, *args):
        pass


def flask_app():
    import flask

    app = flask.Flask(__name__)
    secret = "whsec_of_another_endpoint" if MODE == "flask-other-secret" else SECRET

    @app.post("/hook")
    def hook():
        try:
            stripe.Webhook.construct_event(flask.request.get_data(), flask.request.headers.get("stripe-signature", ""), secret)
        except (ValueError, stripe.SignatureVerificationError):
            return "Invalid signature", 403
        return "ok"

    @app.get("/healthz")
    def healthz():
        return "ok"

    return app


if MODE.startswith("flask"):
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, flask_app(), threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()

server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
