//! A scenario: one file that names recordings, the person's steps, faults and criteria; read, validated, located.
//!
//! Must not know: plans, targets, sockets, clocks.

mod checks;
pub mod classes;
pub mod clock;
pub mod criterion;
pub mod declared;
mod document;
pub mod double;
pub mod downstream;
pub mod error;
pub mod fault;
pub mod forms;
pub mod load;
pub mod model;
mod raw;
mod read_criteria;
mod read_doubles;
mod read_downstream;
mod read_extras;
mod read_faults;
mod read_gates;
mod read_process;
mod read_selector;
mod read_steps;
mod read_stories;
mod read_transport;
pub mod schema;
mod schema_docs;
pub mod selector;
mod shape;
pub mod stored;
pub mod transport;

pub use read_downstream::trouble_words;
pub use read_faults::fault_words;
