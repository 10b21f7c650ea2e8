//! The group `backends` of `check`, through the program, against real servers from `scripts/lab/servers`: MySQL 5.6.24,
//! MariaDB 10.11 as itself and announcing 5.7.44, Redis 5.0.6, 6.2 and 7.0, Valkey, stunnel.
//!
//! MySQL 5.7 itself is not among them: what is called "announcing 5.7" here is MariaDB. Each server is started on a free
//! port of the loopback address in a folder of its own and stopped by its process id. Where the servers were not
//! provisioned the tests are skipped, by name.

mod first;
pub mod mysql;
mod redis;
pub mod servers;
