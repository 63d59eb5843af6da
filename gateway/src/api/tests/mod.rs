//! The doors, over the small fleet of the views' tests.

mod door;
mod grpc;
mod identity;
mod page;
mod rest;
