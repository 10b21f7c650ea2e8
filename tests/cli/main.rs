//! Behaviour through the binary, on throw-away roots: what people type, what they get, and what stands in the files.

mod check;
mod check_host;
mod check_proxy;
mod check_runtime;
mod check_secrets;
mod containers;
mod converge;
mod docker;
mod doors;
mod errors;
mod explain;
mod first;
mod fixes;
mod hosts;
mod mend;
mod network;
mod odd_hosts;
mod prove;
mod remember;
mod root;
mod secret_matrix;
mod secrets;
mod settings;
mod taken;
mod terminal;
mod unused;
