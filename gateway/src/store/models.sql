-- Learnt models. The files lie in STATE/models and never change; these rows say which of them speaks.
CREATE TABLE model (
    version    TEXT PRIMARY KEY,
    type       TEXT NOT NULL,
    name       TEXT NOT NULL,
    trained_ms BIGINT NOT NULL
);
CREATE INDEX model_by_name ON model (type, name, trained_ms);

-- A model that runs beside the one that speaks, and is only watched.
CREATE TABLE model_shadow (
    type    TEXT NOT NULL,
    name    TEXT NOT NULL,
    version TEXT NOT NULL REFERENCES model (version),
    PRIMARY KEY (type, name)
);

-- Every promotion; the newest that was not undone speaks.
CREATE TABLE model_promotion (
    entry     BIGINT PRIMARY KEY,
    type      TEXT NOT NULL,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL REFERENCES model (version),
    at_ms     BIGINT NOT NULL,
    actor     TEXT NOT NULL,
    undone_ms BIGINT
);
CREATE INDEX model_promotion_by_name ON model_promotion (type, name, entry);
