//! Writes of the shards.
