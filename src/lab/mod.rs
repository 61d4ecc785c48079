//! Experiments: how long does it take until everybody has a file?
//!
//! [`theory`] is the textbook's lower bounds. The simulation runs the program's own peers, choker and picker over a model of
//! a network in virtual time. Nothing here reads a clock or touches a socket, and all chance comes from a seed: the same
//! experiment gives the same numbers, digit by digit.

pub mod availability;
pub mod distribution;
pub mod network;
pub mod swarm;
pub mod theory;
pub mod trading;
pub mod transfer;
