//! What a host does where a production has several.

use crate::text::words::words;

words! {
    /// What a host of a production with several does; the words are those of `--role`.
    pub enum Role {
        /// The web interface and API.
        Interface = "interface",
        /// Gives out the work, and alone upgrades the schema of the database.
        Scheduler = "scheduler",
        /// Does the work.
        Worker = "worker",
    }
}
