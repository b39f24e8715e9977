//! The function as Lambda calls it: raw events in, the real SDK client, a real socket to the fake.

mod audit;
mod audit_samples;
mod binary;
mod checks;
mod clients;
mod connection;
mod events;
mod faults;
mod harness;
mod hostile;
mod languages;
#[cfg(target_os = "linux")]
mod memory;
mod openapi;
mod origin;
mod outcomes;
mod policies;
mod problems;
mod proxy;
mod public_routes;
mod range_server;
mod secrets;
mod verification;
mod wire;
