//! The Docker engine by its command, and Compose by its files.
//!
//! `containers` asks the engine for every container of the host, `run` for anything else, each within a deadline;
//! `compose` reads compose files. What they return is not judged. A `Container` holds the environment of its
//! program, secrets included: it never goes into facts as it is.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `engine` | `docker ps`, `docker inspect`, why the engine did not answer |
//! | `programs` | client, server, programs of Compose |
//! | `podman` | podman in docker's place |
//! | `release` | which engine there is |
//! | `compose` | compose files as Compose reads them: services, ports, environments |
//! | `text` | texts and times of programs, made fit for facts |

pub(crate) mod compose;
#[cfg(test)]
pub(crate) mod double;
mod engine;
mod podman;
mod programs;
mod release;
pub(crate) mod text;

pub(crate) use engine::{Container, ContainerState, NoDocker, Published, containers, repository_and_tag, run};
pub(crate) use podman::{MAKE_ROOM, podman};
pub(crate) use programs::{
    ARCHITECTURES, ComposeProgram, Generation, Server, Versions, compose_program, compose_programs, security_options,
    serving, this_architecture, versions,
};
pub(crate) use release::release;
