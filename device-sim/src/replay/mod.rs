//! Recorded data, published as an appliance.
