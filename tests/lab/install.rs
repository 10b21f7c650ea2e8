//! `install` onto hosts with real engines, with a stand-in for the product in the containers.

mod booted;
mod bundle;
mod failures;
mod fetch;
mod firewall;
mod hosts;
mod lab;
mod moves;
mod over;
mod pictures;
mod production;
mod roles;
mod trust;
mod upgrades;
mod ways;
mod whole;
mod wizard;
mod words;
