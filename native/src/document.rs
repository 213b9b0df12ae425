//! What messages call the documents that come in.

use std::fmt;

use crate::failure::{At, Failure, fail};

/// What messages call a document.
#[derive(Clone, Copy)]
pub enum Document {
    Named(&'static str),
    Event(usize),
    Message(usize),
    CommitEvent(usize, usize, usize),
}

impl fmt::Display for Document {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Document::Named(name) => out.write_str(name),
            Document::Event(i) => write!(out, "event {i}"),
            Document::Message(i) => write!(out, "message {i}"),
            Document::CommitEvent(i, j, k) => write!(out, "message {i}, commit {j}, event {k}"),
        }
    }
}

impl Document {
    /// A failure of this document.
    pub fn fail(self, key: &'static str) -> Failure {
        fail(key).at(At::Nowhere).with("document", self.to_string())
    }
}
