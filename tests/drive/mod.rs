//! The sender: what the interpreter decides, what a peer on the wire sees, how a project file is read.

mod interpreter;
mod late;
mod project;
mod sender;
mod surroundings;
mod transport;
mod wire;
