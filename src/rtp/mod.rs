//! RTP and RTCP as data: sequence, timestamps, jitter, reports, telephone-event. Pure: packets in, packets out, `now` as an argument.

pub mod delay;
pub mod event;
pub mod jitter;
pub mod packet;
pub mod report;
pub mod sequence;
