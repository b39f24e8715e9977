//! The function as Lambda calls it: raw events in, the real SDK client, a real socket to the fake.

mod audit;
mod binary;
mod clients;
mod connection;
mod events;
mod faults;
mod harness;
mod hostile;
mod openapi;
mod origin;
mod outcomes;
mod policies;
mod problems;
mod proxy;
mod range_server;
mod secrets;
