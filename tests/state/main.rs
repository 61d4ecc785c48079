//! The state of the seedbox, by its public face: what goes in comes out again, whatever happens in between; and what other programs
//! kept comes in as it was.

mod basics;
mod child;
mod crash;
mod damage;
mod faults;
mod foreign;
mod scale;
mod scene;
