//! What outlives a call: records, recordings, expiry, erasure.
