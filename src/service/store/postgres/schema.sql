CREATE TABLE hookdrill_schema (version bigint NOT NULL);

CREATE TABLE events (
    id          text COLLATE "C" PRIMARY KEY,
    kind        text NOT NULL,
    created     bigint NOT NULL,            -- Unix seconds, Stripe's
    received_ms bigint NOT NULL,
    deliveries  bigint NOT NULL CHECK (deliveries > 0),
    body        text NOT NULL               -- as it came
);

CREATE TABLE parties (
    id    text COLLATE "C" PRIMARY KEY,     -- cus_…, user:…, session:…
    facts text NOT NULL                     -- JSON
);

CREATE TABLE identities (
    kind  text COLLATE "C" NOT NULL CHECK (kind IN ('user', 'email', 'session', 'chat', 'payment')),
    key   text COLLATE "C" NOT NULL,
    party text COLLATE "C" NOT NULL REFERENCES parties (id),
    PRIMARY KEY (kind, key, party)
);

CREATE TABLE contacts (
    email   text COLLATE "C" PRIMARY KEY,
    contact text,                           -- the CRM's id
    written text                            -- JSON of our fields as last confirmed
);

CREATE TABLE docs (
    shelf    text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (shelf, key)
);

CREATE SEQUENCE job_ids;

CREATE TABLE jobs (
    id       bigint PRIMARY KEY,
    key      text COLLATE "C" NOT NULL UNIQUE,
    state    text COLLATE "C" NOT NULL CHECK (state IN ('scheduled', 'waiting', 'running', 'done', 'dead')),
    ready_ms bigint,                        -- due, end of the lease, or revival; null when nothing is to do
    job      text NOT NULL                  -- JSON
) WITH (fillfactor = 70);

CREATE INDEX jobs_ready ON jobs (ready_ms, id) WHERE ready_ms IS NOT NULL;
CREATE INDEX jobs_dead ON jobs (id) WHERE state = 'dead';
