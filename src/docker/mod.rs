//! The Docker engine by its command, and Compose by its files.
//!
//! `containers` asks the engine for every container of the host, `run` for anything else, each within a deadline;
//! `compose` reads what a compose file expects. What they return is not judged. A `Container` holds the environment of its
//! program, secrets included: it never goes into facts as it is.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `engine` | `docker ps`, `docker inspect`, why the engine did not answer |
//! | `compose` | services, ports and environment of a compose file |
//! | `text` | texts and times of programs, made fit for facts |

pub(crate) mod compose;
#[cfg(test)]
pub(crate) mod double;
mod engine;
pub(crate) mod text;

pub(crate) use engine::{Container, ContainerState, NoDocker, containers, run};
