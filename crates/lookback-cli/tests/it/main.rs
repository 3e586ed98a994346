//! The program as a user meets it: arguments, exit codes, and the way from pairs to a page.

mod alignments;
mod arguments;
mod clock;
mod convert;
mod corpus;
mod decoding;
mod doctor;
mod eval;
mod explained;
mod kills;
mod manners;
mod processor;
mod program;
mod quickstart;
mod receipts;
mod round_trip;
mod shortlist;
#[cfg(unix)]
mod signals;
mod starting;
mod study;
mod temporary;
mod text;
mod written;
