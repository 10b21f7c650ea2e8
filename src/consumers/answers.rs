//! What the host's own programs have answered, and how an answer and a model become one.

use super::callers::Door;
use super::{Consumer, Known, NAMES, State};
use crate::docker::compose::Asked;
use crate::environment::Variables;
use crate::text::Text;

/// What was answered. Nothing stands here for who was not asked, or gave no answer.
#[derive(Default)]
pub(super) struct Answers {
    /// Who logged in.
    pub(super) user: Option<String>,
    /// Whose commands under sudo are told of, where nobody was asked.
    pub(super) sudo_by: Option<String>,
    /// Doors, who went through each, and what there was behind it.
    pub(super) doors: Vec<(Door, String, Variables)>,
    /// Why a login did not come to its end.
    pub(super) hangs: Option<Text>,
    /// Units, as systemd's loader prints them.
    pub(super) units: Vec<u8>,
    /// The package manager's configuration, as it prints it.
    pub(super) packages: Option<Vec<u8>>,
    /// Compose.
    pub(super) compose: Option<Asked>,
}

impl Answers {
    /// Who calls sudo; `None`: anybody.
    pub(super) fn sudo_by(&self) -> Option<String> {
        let asked = Door::SUDO.into_iter().find_map(|door| self.door(door));
        asked.map(|(user, _)| user).or_else(|| self.sudo_by.clone())
    }

    /// Who went through a door, and what there was behind it.
    pub(super) fn door(&self, wanted: Door) -> Option<(String, Variables)> {
        self.doors.iter().find(|(door, ..)| *door == wanted).map(|(_, user, seen)| (user.clone(), seen.clone()))
    }
}

/// The answer, with the lines that decide it by the model where that says the same, and the model's word where it does not.
/// What is closed to a consumer is seen in the files alone.
pub(super) fn outrank(mut asked: Consumer, model: Option<Consumer>) -> Consumer {
    asked.known = Known::Asked;
    let Some(model) = model.filter(|model| model.state == State::Seen && asked.state == State::Seen) else {
        return asked;
    };
    asked.closed.clone_from(&model.closed);
    asked.unread.clone_from(&model.unread);
    asked.keeps.clone_from(&model.keeps);
    let mut differ = false;
    for name in NAMES.into_iter().filter(|name| !model.unknown.contains_key(*name)) {
        if asked.values().get(name) != model.values().get(name) {
            differ = true;
            asked.decided.remove(name);
        } else if let Some(decided) = model.decided.get(name) {
            asked.decided.insert(name.to_owned(), decided.clone());
        }
    }
    if differ {
        asked.model = Some(Box::new(model));
    }
    asked
}
