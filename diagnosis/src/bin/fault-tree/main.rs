//! `fault-tree`: what a service engineer uses beside an editor.

fn main() {}
