//! The state of the seedbox, by its public face: what goes in comes out again, whatever happens in between.

mod basics;
mod child;
mod crash;
mod damage;
mod faults;
mod scale;
mod scene;
