//! Octroi: a secure data-sharing gateway for a city's data lake.
//!
//! Folders are the stations of a request, in the order in which it meets them (`respond` is [`answer`]):
//!
//! ```text
//! listen -> authenticate -> authorise -> catalogue | object | zone -> evidence -> respond
//!  TLS       Caller        Permit<A>     metadata   bytes    query   Recorded
//! ```
//!
//! Each hands the next a type that only it can make. [`grpc`] and [`https`] turn wire messages into typed requests and
//! back, and ask for the permit that each needs. Beside the path: [`gateway`] builds the stations and joins them,
//! [`registry`] is the register, an index over the evidence, [`keys`] the key process, [`serve`] the process's life,
//! [`settings`] what can be set, [`command`] the command line. See `docs/ARCHITECTURE.md`.

pub mod answer;
pub mod authenticate;
pub mod authorise;
pub mod catalogue;
pub mod clock;
pub mod command;
mod durable;
pub mod evidence;
pub mod gateway;
pub mod grpc;
mod harden;
pub mod https;
pub mod keys;
pub mod listen;
pub mod object;
pub mod registry;
mod secret_file;
pub mod serve;
pub mod settings;
pub mod zone;
pub mod zone_host;
