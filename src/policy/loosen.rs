//! The loosening rule: what weakens verification must hang on a fact that cannot be forged.
