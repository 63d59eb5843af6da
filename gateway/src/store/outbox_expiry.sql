-- When a waiting command's time is over; 0 for those that were queued before this was kept.
ALTER TABLE outbox ADD COLUMN expires_ms BIGINT NOT NULL DEFAULT 0;
