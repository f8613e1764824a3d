//! From words to meaning: intents, slots, numbers, dates, knowledge. Pure; embeddings come in as vectors.
