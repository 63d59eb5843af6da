-- Who may connect. A secret is stored as the SHA-256 of a random token (64 hexadecimal digits)
-- or as the argon2id hash of a password (a PHC string, which begins with `$`).

ALTER TABLE device RENAME COLUMN token_sha256 TO secret;
-- Since when a device is not let in; NULL where it is.
ALTER TABLE device ADD COLUMN blocked_ms BIGINT;

-- Accounts that listen over MQTT. `filters` is a JSON array of topic filters.
CREATE TABLE service_account (
    name       TEXT PRIMARY KEY,
    filters    TEXT NOT NULL,
    secret     TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- With a claim a device registers itself, once. `device` is set where only that one may use it.
CREATE TABLE claim (
    id         TEXT PRIMARY KEY,
    sha256     TEXT NOT NULL UNIQUE,
    tenant     TEXT NOT NULL,
    type       TEXT NOT NULL,
    model      TEXT NOT NULL,
    device     TEXT,
    area       TEXT NOT NULL,
    lat        DOUBLE PRECISION NOT NULL,
    lon        DOUBLE PRECISION NOT NULL,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_by    TEXT,
    used_ms    BIGINT
);
CREATE INDEX claim_by_time ON claim (created_ms, id);
CREATE INDEX claim_by_expiry ON claim (expires_ms);
