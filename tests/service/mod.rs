//! The reference service from outside its modules: whole stories over the core, defects, and real sockets.

mod batch;
mod child;
mod core;
mod fixtures;
mod killed;
mod peers;
mod server;
mod stories;
mod synced;
