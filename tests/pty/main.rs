//! The wizard at a real terminal: a pseudo-terminal around the binary, its screen as text, its mode afterwards.

mod away;
mod demo;
mod image;
mod picture;
mod pictures;
mod progress;
mod runs;
mod screens;
mod shells;
mod terminal;
mod world;
