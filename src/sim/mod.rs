//! A virtual clock, seeded links and load callers: whole calls without a socket or a sleep.
