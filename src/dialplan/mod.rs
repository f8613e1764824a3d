//! The dialplan language: as written (`raw`), compiled (`Plan`), and run for one call (`script`). Pure.

pub mod script;
