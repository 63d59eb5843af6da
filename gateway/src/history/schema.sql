-- One month of readings. A block holds rows of one appliance type, sorted by device and time.
CREATE TABLE block (
    id       BIGINT PRIMARY KEY,
    shard    BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    type     TEXT NOT NULL,
    level    BIGINT NOT NULL,
    rows     BIGINT NOT NULL,
    data     BYTEA NOT NULL
);
CREATE INDEX block_by_level ON block (shard, type, level);

-- Where a device's rows lie within a block.
CREATE TABLE run (
    device  TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms   BIGINT NOT NULL,
    block   BIGINT NOT NULL REFERENCES block (id) ON DELETE CASCADE,
    first   BIGINT NOT NULL,
    rows    BIGINT NOT NULL,
    PRIMARY KEY (device, from_ms, block)
);
CREATE INDEX run_by_block ON run (block);
