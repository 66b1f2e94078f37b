//! The reference service from outside its modules: whole stories over the core, defects, and real sockets.

mod core;
mod fixtures;
mod peers;
mod server;
mod stories;
