//! Wiring: admission, the task of a call, metrics, shutdown.
