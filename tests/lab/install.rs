//! `install` onto hosts with real engines, with a stand-in for the product in the containers.

mod failures;
mod lab;
mod production;
mod whole;
mod words;
