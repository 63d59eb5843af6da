//! Clients and a running front.
