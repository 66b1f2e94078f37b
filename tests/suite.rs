//! All integration tests, one binary.

mod check;
