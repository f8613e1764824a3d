//! Sidetone: a real-time voice call-centre server.
//!
//! Everything that decides is pure and takes `now`; everything that touches a socket, a thread, a disk or a clock is a
//! driver at the edge. Imports point down only (`tests/layers.rs` holds it):
//!
//! ```text
//! main cli config server                   wiring; the only spawn
//! net  engine  store  web                  drivers: sockets, worker threads, disk, pages, clock
//! call                                     joins the machines; owns the I/O traits (call/ports.rs)
//! sip rtp audio speech nlu dialplan queue  pure leaves: no tokio, no clock, not each other (speech -> audio excepted)
//! pii                                      anyone            sim: virtual clock and links, over call and the leaves
//! ```

pub mod audio;
pub mod call;
pub mod cli;
pub mod config;
pub mod dialplan;
pub mod engine;
pub mod net;
pub mod nlu;
pub mod pii;
pub mod queue;
pub mod rtp;
pub mod server;
pub mod sim;
pub mod sip;
pub mod speech;
pub mod store;
pub mod web;
