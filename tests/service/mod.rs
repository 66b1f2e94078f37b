//! The reference service from outside its modules: whole stories over the core, defects, and real sockets.

mod audit;
mod batch;
pub(crate) mod child;
mod core;
mod facts;
mod fixtures;
mod killed;
mod operations;
mod peers;
pub(crate) mod postgres;
mod reconcile;
mod server;
mod stores;
mod stores_together;
mod stories;
mod support;
mod synced;
