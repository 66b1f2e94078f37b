"""A sound endpoint with Stripe's own library, and one that writes the body anew. Prints its port."""

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


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
