CREATE TABLE events (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    created     INTEGER NOT NULL,           -- Unix seconds, Stripe's
    received_ms INTEGER NOT NULL,
    deliveries  INTEGER NOT NULL CHECK (deliveries > 0),
    body        TEXT NOT NULL               -- as it came
) STRICT;

CREATE TABLE parties (
    id    TEXT PRIMARY KEY,                 -- cus_…, user:…, session:…
    facts TEXT NOT NULL                     -- JSON
) STRICT;

CREATE TABLE identities (
    kind  TEXT NOT NULL CHECK (kind IN ('user', 'email', 'session', 'chat', 'payment')),
    key   TEXT NOT NULL,
    party TEXT NOT NULL REFERENCES parties (id),
    PRIMARY KEY (kind, key, party)
) STRICT, WITHOUT ROWID;

CREATE TABLE contacts (
    email   TEXT PRIMARY KEY,
    contact TEXT,                           -- the CRM's id
    written TEXT                            -- JSON of our fields as last confirmed
) STRICT;

CREATE TABLE docs (
    shelf    TEXT NOT NULL,
    key      TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (shelf, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id       INTEGER PRIMARY KEY,
    key      TEXT NOT NULL UNIQUE,
    state    TEXT NOT NULL CHECK (state IN ('scheduled', 'waiting', 'running', 'done', 'dead')),
    ready_ms INTEGER,                       -- due, end of the lease, or revival; null when nothing is to do
    job      TEXT NOT NULL                  -- JSON
) STRICT;

CREATE INDEX jobs_ready ON jobs (ready_ms, id) WHERE ready_ms IS NOT NULL;
CREATE INDEX jobs_state ON jobs (state);
