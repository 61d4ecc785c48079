//! The state of the seedbox, by its public face: what goes in comes out again, whatever happens in between.

mod basics;
mod scale;
mod scene;
