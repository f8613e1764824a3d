//! Configuration: `sidetone.toml`, environment and flags, in that order.
