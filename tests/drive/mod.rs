//! The sender: what the interpreter decides, what a peer on the wire sees, how a project file is read.

mod ask;
mod interpreter;
mod late;
mod project;
mod sender;
mod surroundings;
mod transport;
mod wire;
