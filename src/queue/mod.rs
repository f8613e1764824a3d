//! Whom a caller is put through to, and in which order. Pure.
