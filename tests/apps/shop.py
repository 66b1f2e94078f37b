"""A shop back end over SQLite: it verifies Stripe's signature, keeps event ids and customers in one transaction, and makes a
contact in its CRM. What is wrong with it is switched on by PLANT, a list of words."""

import hashlib, hmac, json, os, signal, sqlite3, sys, threading, time, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLANT = set(os.environ.get("PLANT", "").split())
SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
CRM = os.environ.get("CRM_URL")
LOCK = threading.Lock()


def database():
    connection = sqlite3.connect(os.environ["DB"], timeout=10, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table if not exists events (id text primary key)")
    connection.execute(
        "create table if not exists customers (id text primary key, user_id text, email text, status text, plan text,"
        " access integer not null, purchases integer not null, since timestamp default current_timestamp, raw json)"
    )
    connection.execute("create table if not exists users (id text primary key, email text not null)")
    return connection


def genuine(header, body):
    parts = [part.split("=", 1) for part in (header or "").split(",") if "=" in part]
    t = next((value for key, value in parts if key == "t"), "0")
    if not t.isdigit() or abs(time.time() - int(t)) > 300:
        return False
    signed = json.dumps(json.loads(body)).encode() if "reserialises" in PLANT else body
    mine = hmac.new(SECRET.encode(), t.encode() + b"." + signed, hashlib.sha256).hexdigest()
    return any(key == "v1" and hmac.compare_digest(mine, value) for key, value in parts)


def contact(email):
    if not CRM or not email:
        return
    body = json.dumps({"properties": {"email": email}}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer pat-of-the-shop"}
    request = urllib.request.Request(CRM + "/crm/v3/objects/contacts", body, headers)
    try:
        urllib.request.urlopen(request, timeout=5).read()
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise


def take(event):
    kind, thing = event["type"], event["data"]["object"]
    if "dies_on_unknown" in PLANT and kind.startswith("hookdrill"):
        os._exit(3)
    if "dies_once" in PLANT and kind == "checkout.session.completed":
        mark = os.environ["DB"] + ".died"
        if not os.path.exists(mark):
            open(mark, "w").close()
            print("about to die", flush=True)
            os._exit(7)
    connection = database()
    connection.execute("begin immediate")
    try:
        if "no_dedupe" not in PLANT:
            if connection.execute("select 1 from events where id = ?", (event["id"],)).fetchone():
                return
            connection.execute("insert into events values (?)", (event["id"],))
        if kind == "checkout.session.completed":
            email = (thing.get("customer_details") or {}).get("email") or thing.get("customer_email")
            user = thing.get("client_reference_id")
            if "needs_user" in PLANT and not connection.execute("select 1 from users where id = ?", (user,)).fetchone():
                raise KeyError("no such user")
            connection.execute(
                "insert into customers (id, user_id, email, status, access, purchases, raw) values (?, ?, ?, 'active', 1, 1, ?)"
                " on conflict (id) do update set access = 1, purchases = purchases + 1",
                (thing["customer"], user, email, json.dumps({"paid": True})),
            )
            contact(email)
        connection.execute("commit")
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, {"ok": True})
        known = database().execute(
            "select status, access, purchases from customers where id = ?", (self.path.split("/")[-1],)
        ).fetchone()
        if known is None:
            return self.answer(404, {})
        self.answer(200, dict(zip(["status", "access", "purchases"], known)))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/users":
            user = json.loads(body)
            database().execute("insert or ignore into users values (?, ?)", (user["id"], user["email"]))
            return self.answer(201, {})
        if "refuses_all" in PLANT or not genuine(self.headers.get("stripe-signature"), body):
            return self.answer(400, {"error": "bad request"})
        event = json.loads(body)
        known = ("charge", "payment", "customer", "checkout", "invoice")
        if "refuses_unknown" in PLANT and not event["type"].startswith(known):
            return self.answer(400, {"error": "bad request"})
        try:
            with LOCK:
                take(event)
        except Exception as error:
            print("failed:", error, SECRET if "prints_secret" in PLANT else "", flush=True)
            return self.answer(500, {"error": "not now"})
        self.answer(200, {"received": True})

    def log_message(self, *args):
        pass


if "fails_to_start" in PLANT:
    print("cannot find the configuration", SECRET, file=sys.stderr)
    sys.exit(2)
print("the secret is", SECRET, "and hookdrill's", os.environ.get("HOOKDRILL_ADMIN_TOKEN"), flush=True)
database().close()


def stopped(*_):
    print("stopping", flush=True)
    os._exit(0)


if "worker" in sys.argv:
    signal.signal(signal.SIGTERM, stopped)
    print("working", flush=True)
    while True:
        time.sleep(0.05)

server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, stopped)
print("listening on", server.server_address[1], flush=True)
server.serve_forever()
