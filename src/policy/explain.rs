//! A decision in sentences.
