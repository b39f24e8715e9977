//! The function as Lambda calls it: raw events in, the real SDK client, a real socket to the fake.

mod events;
mod harness;
mod outcomes;
mod policies;
mod problems;
mod range_server;
mod secrets;
