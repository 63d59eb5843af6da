-- State of the gateway. Times are epoch milliseconds of the gateway's clock; JSON is opaque
-- TEXT; every queried field is a column of its own. Kept to SQL that PostgreSQL reads too.

CREATE TABLE device (
    id            TEXT PRIMARY KEY,
    tenant        TEXT NOT NULL,
    type          TEXT NOT NULL,
    model         TEXT NOT NULL,
    token_sha256  TEXT NOT NULL,
    area          TEXT NOT NULL,
    lat           DOUBLE PRECISION NOT NULL,
    lon           DOUBLE PRECISION NOT NULL,
    registered_ms BIGINT NOT NULL
);

-- What a device said last; written at each checkpoint.
CREATE TABLE twin (
    device         TEXT PRIMARY KEY REFERENCES device (id),
    last_seen_ms   BIGINT NOT NULL,
    boot_id        BIGINT NOT NULL,
    firmware       TEXT NOT NULL,
    config_version BIGINT NOT NULL,
    readings       TEXT NOT NULL,
    reported       TEXT NOT NULL
);
CREATE INDEX twin_by_seen ON twin (last_seen_ms);

-- The shard's memory of a device, true at `position`. Written with every decision about the device.
CREATE TABLE device_state (
    device   TEXT PRIMARY KEY REFERENCES device (id),
    position BIGINT NOT NULL,
    room     TEXT NOT NULL
);

-- Which messages of a device were taken, true at `flushed`: rows before it are in the history.
CREATE TABLE device_dedup (
    device  TEXT PRIMARY KEY REFERENCES device (id),
    flushed BIGINT NOT NULL,
    ranges  TEXT NOT NULL
);

-- Journal positions below which a shard's device states (`position`) and history (`flushed`) are on disk.
CREATE TABLE shard (
    id       BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    flushed  BIGINT NOT NULL
);

CREATE TABLE event (
    device      TEXT NOT NULL REFERENCES device (id),
    position    BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    code        TEXT NOT NULL,
    severity    TEXT NOT NULL,
    text        TEXT NOT NULL,
    PRIMARY KEY (device, position)
);

CREATE TABLE finding (
    id          TEXT PRIMARY KEY,
    device      TEXT NOT NULL REFERENCES device (id),
    cause       TEXT NOT NULL,
    title       TEXT NOT NULL,
    probability DOUBLE PRECISION NOT NULL,
    state       TEXT NOT NULL,
    reopened    BIGINT NOT NULL,
    ranked      TEXT NOT NULL,
    evidence    TEXT NOT NULL,
    explanation TEXT NOT NULL,
    opened_ms   BIGINT NOT NULL,
    closed_ms   BIGINT,
    version     BIGINT NOT NULL
);
CREATE INDEX finding_by_device ON finding (device, opened_ms);
CREATE INDEX finding_by_state ON finding (state, opened_ms);
CREATE INDEX finding_by_time ON finding (opened_ms, id);

CREATE TABLE repair (
    id           TEXT PRIMARY KEY,
    finding      TEXT REFERENCES finding (id),
    device       TEXT NOT NULL REFERENCES device (id),
    cause        TEXT NOT NULL,
    repair       TEXT NOT NULL,
    action       TEXT NOT NULL,
    arguments    TEXT NOT NULL,
    risk         TEXT NOT NULL,
    body_hash    TEXT NOT NULL,
    state        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    attempt      BIGINT NOT NULL,
    command_id   TEXT,
    fence        BIGINT,
    issued_by    TEXT NOT NULL,
    approved_by  TEXT,
    created_ms   BIGINT NOT NULL,
    updated_ms   BIGINT NOT NULL,
    version      BIGINT NOT NULL
);
CREATE INDEX repair_by_device ON repair (device, created_ms);
CREATE INDEX repair_by_state ON repair (state, created_ms);
CREATE INDEX repair_by_time ON repair (created_ms, id);

-- Every step of a repair or a work order, with its evidence.
CREATE TABLE timeline (
    subject  TEXT NOT NULL,
    step     BIGINT NOT NULL,
    at_ms    BIGINT NOT NULL,
    state    TEXT NOT NULL,
    actor    TEXT NOT NULL,
    detail   TEXT NOT NULL,
    PRIMARY KEY (subject, step)
);

-- Commands until the device's own result has arrived.
CREATE TABLE outbox (
    command_id   TEXT PRIMARY KEY,
    device       TEXT NOT NULL REFERENCES device (id),
    topic        TEXT NOT NULL,
    payload      BYTEA NOT NULL,
    created_ms   BIGINT NOT NULL
);
CREATE INDEX outbox_by_device ON outbox (device, created_ms);

CREATE TABLE work_order (
    id           TEXT PRIMARY KEY,
    number       BIGINT NOT NULL UNIQUE,
    finding      TEXT REFERENCES finding (id),
    device       TEXT NOT NULL REFERENCES device (id),
    source       TEXT NOT NULL,
    cause        TEXT NOT NULL,
    title        TEXT NOT NULL,
    state        TEXT NOT NULL,
    priority     TEXT NOT NULL,
    why          TEXT NOT NULL,
    skill        TEXT NOT NULL,
    area         TEXT NOT NULL,
    sop          TEXT NOT NULL,
    posterior    TEXT NOT NULL,
    evidence     TEXT NOT NULL,
    kit          TEXT NOT NULL,
    technician   TEXT REFERENCES technician (id),
    starts_ms    BIGINT,
    assignment   TEXT NOT NULL,
    confirmed    TEXT,
    created_ms   BIGINT NOT NULL,
    updated_ms   BIGINT NOT NULL,
    closed_ms    BIGINT,
    version      BIGINT NOT NULL
);
CREATE UNIQUE INDEX one_open_order_per_device ON work_order (device) WHERE closed_ms IS NULL;
CREATE INDEX work_order_by_state ON work_order (state, created_ms);
CREATE INDEX work_order_by_time ON work_order (created_ms, id);

CREATE TABLE technician (
    id        TEXT PRIMARY KEY,
    name      TEXT NOT NULL,
    lat       DOUBLE PRECISION NOT NULL,
    lon       DOUBLE PRECISION NOT NULL,
    skills    TEXT NOT NULL,
    areas     TEXT NOT NULL,
    capacity  BIGINT NOT NULL,
    rating    DOUBLE PRECISION NOT NULL,
    van       TEXT NOT NULL REFERENCES location (id)
);

CREATE TABLE location (
    id     TEXT PRIMARY KEY,
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    parent TEXT REFERENCES location (id),
    lat    DOUBLE PRECISION NOT NULL,
    lon    DOUBLE PRECISION NOT NULL
);

-- Append-only. On hand and reserved are sums; neither, nor their difference, goes below zero.
CREATE TABLE ledger (
    entry      BIGINT PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    location   TEXT NOT NULL REFERENCES location (id),
    part       TEXT NOT NULL,
    on_hand    BIGINT NOT NULL,
    reserved   BIGINT NOT NULL,
    work_order TEXT REFERENCES work_order (id),
    actor      TEXT NOT NULL
);
CREATE INDEX ledger_by_place ON ledger (location, part, on_hand, reserved);
CREATE INDEX ledger_by_order ON ledger (work_order);

CREATE TABLE token (
    sha256     TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- The newest refused messages; older ones are deleted.
CREATE TABLE reject (
    position BIGINT NOT NULL,
    at_ms    BIGINT NOT NULL,
    device   TEXT NOT NULL,
    channel  TEXT NOT NULL,
    field    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    head     TEXT NOT NULL,
    PRIMARY KEY (position, field)
);
CREATE INDEX reject_by_device ON reject (device, position);

-- Hash chain: `hash` covers the entry and the hash before it.
CREATE TABLE audit (
    entry   BIGINT PRIMARY KEY,
    at_ms   BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    what    TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL,
    hash    TEXT NOT NULL
);
