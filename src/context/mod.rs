//! What is known before a command acts: what people have said, what system the host is, and what is set on it.
//!
//! Every command goes the same way: [`Inputs`] are read once, [`Subject::identify`] tells the system,
//! [`Subject::look`] finds what is set, and [`HostContext::settings`] makes valid settings of all of it. The first two steps
//! are apart so that a command can report the system of a host whose files it cannot read. [`Intent`] names the only
//! differences between commands.

mod authority;
pub(crate) mod complete;
mod found;
mod inputs;
mod rights;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(crate) use authority::{AuthoritySpec, Named, left, roots, sum_of};
pub(crate) use found::{found, meant};
pub(crate) use inputs::{Inputs, at_most, private_state, read, utf8};

use crate::finding::{Finding, Ignored};
use crate::host::{HostRead, View};
use crate::platform::{self, Platform};
use crate::problem::{Problem, id};
use crate::settings::{self, First, Found, Key, Layers, Origin, STATE_FILE, Settings, Spec, Unresolved};
use crate::text;
use crate::text::{Text, typed};
use crate::vendor::prod_env;

/// What a command is after. It decides which files are asked first, and what is an error.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Intent {
    /// The host is changed: an unknown system and a file that cannot be read are errors. `dry_run` passes over files that
    /// only root may read.
    Change {
        /// The file whose values count first.
        first: First,
        /// Nothing is written.
        dry_run: bool,
    },
    /// The host is checked: what cannot be looked at is a finding, so it is no error here.
    Check,
    /// Settings are shown, on any system.
    Show,
    /// Only what is missing is named.
    Missing,
}

impl Intent {
    fn first(self, has_product: bool) -> First {
        match self {
            Self::Change { first, .. } => first,
            Self::Check | Self::Show | Self::Missing if has_product => First::Product,
            Self::Check | Self::Show | Self::Missing => First::System,
        }
    }

    fn needs_platform(self) -> bool {
        matches!(self, Self::Change { .. } | Self::Missing)
    }

    /// Goes the command on without what only root can read, and names it?
    fn says_what_is_unread(self) -> bool {
        matches!(self, Self::Change { dry_run: true, .. } | Self::Check)
    }

    fn is_lenient(self) -> bool {
        !matches!(self, Self::Change { dry_run: false, .. })
    }
}

/// A host whose system was told apart, and what people have said about it.
pub(crate) struct Subject {
    /// Flags, variables, settings file, last run.
    pub(crate) layers: Layers,
    /// Why the last run is missing in them: only root can read what it was told.
    unread: Option<Problem>,
    /// The system; the problem of one that is not supported.
    pub(crate) platform: Result<Platform, Problem>,
    /// What is to be said about the system.
    pub(crate) findings: Vec<Finding>,
}

impl Subject {
    /// Reads the layers and tells the system.
    ///
    /// # Errors
    /// A settings file or the last run's that cannot be read.
    pub(crate) fn identify(host: &dyn HostRead, inputs: &Inputs) -> Result<Self, Problem> {
        let (layers, unread) = inputs.readable_layers(host)?;
        let (platform, findings) = match platform::detect(host, settings::strategy(&layers)) {
            Ok((platform, findings)) => (Ok(platform), findings),
            Err(problem) => (Err(problem), Vec::new()),
        };
        Ok(Self { layers, unread, platform, findings })
    }

    /// Looks at what is set on the host.
    ///
    /// # Errors
    /// A folder of the product that is no absolute path; and what `intent` says.
    pub(crate) fn look(self, host: &dyn HostRead, intent: Intent) -> Result<HostContext<'_>, Problem> {
        if let Some(problem) = self.unread.as_ref().filter(|_| !intent.says_what_is_unread()) {
            return Err(problem.clone());
        }
        let platform = match self.platform {
            Err(problem) if intent.needs_platform() => return Err(problem),
            other => other.ok(),
        };
        let home = settings::home(&self.layers)?;
        let view = if intent.is_lenient() { View::lenient(host) } else { View::new(host) };
        let has_product = has_product(host, &home);
        // What a system without a strategy has is not looked for.
        let look = |platform| found(&view, platform, &home, intent.first(has_product));
        let (found, unread) = match platform.as_ref().map(look) {
            None => (Found::default(), None),
            Some(Ok(found)) => (found, None),
            Some(Err(problem)) if matches!(intent, Intent::Check) => (Found::default(), Some(problem)),
            Some(Err(problem)) => return Err(problem),
        };
        let found = found.counting(&self.layers);
        let last_run_unread = self.unread.is_some();
        let installs = false;
        Ok(HostContext { layers: self.layers, last_run_unread, installs, platform, has_product, view, found, unread })
    }
}

/// A host as it was found by one command.
pub(crate) struct HostContext<'h> {
    /// Flags, variables, settings file, last run.
    pub(crate) layers: Layers,
    last_run_unread: bool,
    /// The product is to be installed: what it cannot start without must be said.
    pub(crate) installs: bool,
    /// The system; `None`: one that is not supported.
    pub(crate) platform: Option<Platform>,
    /// The product's `prod.env` is there.
    pub(crate) has_product: bool,
    /// The files as they were read.
    pub(crate) view: View<'h>,
    /// What is set on the host.
    pub(crate) found: Found,
    /// Why nothing was found, for [`Intent::Check`].
    pub(crate) unread: Option<Problem>,
}

/// What whoever has no back ends may have meant.
pub(crate) fn or_test_drive() -> Text {
    text!("a Test Drive has MySQL and Redis itself: {}", typed("--deployment test-drive"))
}

/// Asks a person for the value of one setting; `None`: nobody is there.
pub(crate) type Asker<'a> = &'a mut dyn FnMut(&Spec) -> Result<Option<String>, Problem>;

impl<'h> HostContext<'h> {
    /// Both steps at once.
    ///
    /// # Errors
    /// As [`Subject::identify`] and [`Subject::look`].
    pub(crate) fn load(host: &'h dyn HostRead, inputs: &Inputs, intent: Intent) -> Result<Self, Problem> {
        Subject::identify(host, inputs)?.look(host, intent)
    }

    /// Settings, or what is missing.
    ///
    /// # Errors
    /// A value that is wrong; all values that are missing.
    pub(crate) fn resolve(&self, inputs: &Inputs, ignored: &Ignored) -> Result<(Settings, Vec<Finding>), Unresolved> {
        let mut resolved = inputs.outside(|outside| Settings::resolve(&self.layers, &self.found, outside, ignored));
        if let Ok((_, findings)) = &mut resolved {
            findings.extend(inputs.readable_secrets(self.view.host, &self.layers));
        }
        let lacking = self.lacking()?;
        match resolved {
            Ok(resolved) if lacking.is_empty() => Ok(resolved),
            Ok(_) => Err(Unresolved::Missing(lacking)),
            Err(Unresolved::Missing(missing)) => Err(Unresolved::Missing([missing, lacking].concat())),
            wrong => wrong,
        }
    }

    /// Settings. A missing password is asked for, once.
    ///
    /// # Errors
    /// A value that is wrong or missing; whatever `ask` says.
    pub(crate) fn settings(
        &mut self,
        inputs: &mut Inputs,
        ignored: &Ignored,
        ask: Asker<'_>,
    ) -> Result<(Settings, Vec<Finding>), Problem> {
        let missing = match self.resolve(inputs, ignored) {
            Err(Unresolved::Missing(specs)) => specs,
            other => return other.map_err(Unresolved::into_problem),
        };
        // Only passwords are asked for: everything else belongs into the command, and is named all at once.
        if missing.iter().any(|spec| !spec.secret) {
            return Err(self.missing(missing));
        }
        for spec in &missing {
            let Some(value) = ask(spec)? else { return Err(self.missing(missing)) };
            inputs.flags.insert(spec, value, Origin::Flag("asked for".to_owned()))?;
        }
        self.layers.flags = inputs.flags.clone();
        self.resolve(inputs, ignored).map_err(Unresolved::into_problem)
    }

    /// What is missing, and where it may be: a file that this user may not read is not one that says nothing.
    fn missing(&self, specs: Vec<&'static Spec>) -> Problem {
        let is_back_end = |spec: &&Spec| matches!(spec.key, Key::MysqlHost | Key::RedisHost);
        let may_be_test_drive =
            self.installs && self.layers.get(Key::Deployment).is_none() && specs.iter().any(is_back_end);
        let problem = Unresolved::Missing(specs).into_problem();
        let problem = if may_be_test_drive { problem.hint(or_test_drive()) } else { problem };
        let unread = self.root_only();
        if unread.is_empty() {
            return problem;
        }
        let files = Text::join(unread.iter().map(|path| text!("{}", path)), ", ");
        let because = text!("it may stand in {}, which this user may not read", files);
        Problem::host(id::NEEDS_ROOT, problem.message).because(because)
    }

    /// Files that only root may read, as a person would type them.
    pub(crate) fn root_only(&self) -> Vec<PathBuf> {
        let last_run = self.last_run_unread.then(|| PathBuf::from(STATE_FILE));
        last_run.into_iter().chain(self.view.unread()).map(|path| self.view.host.shown(&path)).collect()
    }
}

/// Is the product installed in this folder? What cannot be looked at may be there: reading it says why.
pub(crate) fn has_product(host: &dyn HostRead, home: &Path) -> bool {
    !matches!(host.lstat(&prod_env(home)), Ok(None))
}
