//! What a call needs to know of signalling: offer/answer, leg state, identity. Pure; the sockets are in `net::sip`.
