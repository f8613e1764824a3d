//! Worker threads with models: recognition, synthesis, VAD, embeddings; the models themselves.

pub mod models;
