//! What must not be shipped: secrets in files, pages that are slow or shut people out.

mod lighthouse;
mod scenarios;
mod secrets;
