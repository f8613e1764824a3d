//! From frames to speech: voice activity, utterances, the floor, prosody, emotion. Pure; imports only `audio`.
