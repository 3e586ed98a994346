//! Metrics: what a translation is worth.
