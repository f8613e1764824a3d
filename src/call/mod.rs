//! A call: joins the pure machines, and owns the traits through which the drivers serve it.

pub mod ports;
pub mod record;
