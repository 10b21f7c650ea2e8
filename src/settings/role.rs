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

impl Role {
    /// Those of a list, each once, in their order; words that are none are left out.
    pub(crate) fn of_list(list: &str) -> Vec<Self> {
        let words: Vec<&str> = list.split(',').map(str::trim).collect();
        Self::ALL.into_iter().filter(|role| words.iter().any(|word| *word == role.as_str())).collect()
    }

    /// As `--role` takes them.
    pub(crate) fn list(roles: &[Self]) -> String {
        roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",")
    }
}
