//! RTP and RTCP as data: sequence, timestamps, jitter, reports, telephone-event. Pure: packets in, packets out, `now` as an argument.
