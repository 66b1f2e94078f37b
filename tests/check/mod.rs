//! Each judge passes, fails and is inconclusive on runs that are built by hand.

mod alerts;
mod anomaly;
mod compare;
mod contacts;
mod declared;
mod delivery;
mod forgery;
mod latency;
mod law;
mod replay;
mod requests;
mod script;
mod state;
mod tickets;
mod visits;
