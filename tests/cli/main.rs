//! Behaviour through the binary, on throw-away roots: what people type, what they get, and what stands in the files.

mod check;
mod check_host;
mod check_proxy;
mod check_runtime;
mod check_secrets;
mod converge;
mod docker;
mod errors;
mod explain;
mod hosts;
mod network;
mod prove;
mod root;
mod secret_matrix;
mod secrets;
mod settings;
mod terminal;
