"""An app that takes what Stripe's own library accepts. It says its port."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            stripe.Webhook.construct_event(
                body, self.headers.get("Stripe-Signature"), os.environ["STRIPE_WEBHOOK_SECRET"]
            )
            status, text = 200, b"ok"
        except Exception as error:
            status, text = 400, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening {server.server_port}", flush=True)
server.serve_forever()
