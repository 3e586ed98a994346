//! What proves that a run is what it says: its receipt, its repetition, its resumption.

mod provenance;
mod reproduce;
mod resume;
mod verify;

pub(crate) use provenance::provenance;
pub(crate) use reproduce::reproduce;
pub(crate) use resume::verify_resume;
pub(crate) use verify::verify;

/// A promise that was not kept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(String);
