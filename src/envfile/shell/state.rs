//! What is known of the shell at one moment, and what is known after either of two ways to it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::ast::{Node, Script};

/// A line of one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) file: usize,
    pub(super) line: usize,
}

/// Why something is not known, and the first line because of which it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) at: At,
    pub(super) why: &'static str,
}

/// Yes, no, or only the running shell knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tri {
    Yes,
    No,
    Maybe(Cause),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Unset,
    Known(Vec<u8>),
    /// Set, and not to the empty text.
    Some(Cause),
    Unknown(Cause),
}

#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) value: Value,
    pub(super) exported: Tri,
    pub(super) read_only: Tri,
    /// Arrays, integers, references: what an assignment makes of it is not modelled.
    pub(super) odd: bool,
    /// A file has given it a value or taken that away, or may have.
    pub(super) assigned: bool,
    /// Who set, exported or unset it last; `None`: no file did.
    pub(super) at: Option<At>,
}

#[derive(Clone)]
pub(super) enum Function {
    Known(Rc<Node>, Rc<Script>),
    Unknown(Cause),
}

/// `$1`, `$2`, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parameters {
    Known(Vec<Vec<u8>>),
    Unknown(Cause),
}

#[derive(Clone)]
pub(super) struct State {
    pub(super) variables: BTreeMap<Vec<u8>, Variable>,
    pub(super) functions: BTreeMap<Vec<u8>, Function>,
    pub(super) aliases: BTreeSet<Vec<u8>>,
    pub(super) parameters: Parameters,
    /// `set -a`
    pub(super) export_all: Tri,
    /// Names of files may be matched in another way than the usual one.
    pub(super) odd_globs: Option<Cause>,
    /// What local variables of the running functions hide.
    pub(super) frames: Vec<BTreeMap<Vec<u8>, Option<Variable>>>,
    /// The last command's success.
    pub(super) status: Tri,
    /// From here on nothing at all is known. It stays so.
    pub(super) lost: Option<Cause>,
    /// What is not followed is taken to change nothing that matters.
    pub(super) supposing: bool,
}

impl Tri {
    pub(super) fn of(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            maybe @ Self::Maybe(_) => maybe,
        }
    }

    pub(super) fn join(self, other: Self, cause: Cause) -> Self {
        match (self, other) {
            (same, other) if same == other => same,
            (maybe @ Self::Maybe(_), _) | (_, maybe @ Self::Maybe(_)) => maybe,
            _ => Self::Maybe(cause),
        }
    }

    pub(super) fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Yes => other(),
            Self::No => Self::No,
            maybe @ Self::Maybe(_) => match other() {
                Self::No => Self::No,
                _ => maybe,
            },
        }
    }
}

impl Value {
    pub(super) fn cause(&self) -> Option<Cause> {
        match self {
            Self::Some(cause) | Self::Unknown(cause) => Some(*cause),
            Self::Unset | Self::Known(_) => None,
        }
    }

    fn is_some(&self) -> bool {
        matches!(self, Self::Some(_)) || matches!(self, Self::Known(text) if !text.is_empty())
    }

    fn join(self, other: Self, cause: Cause) -> Self {
        if self == other {
            return self;
        }
        let cause = self.cause().or(other.cause()).unwrap_or(cause);
        if self.is_some() && other.is_some() { Self::Some(cause) } else { Self::Unknown(cause) }
    }
}

impl Variable {
    pub(super) fn new(value: Value, exported: bool) -> Self {
        Self { value, exported: Tri::of(exported), read_only: Tri::No, odd: false, assigned: false, at: None }
    }

    /// Anything may have happened to it.
    pub(super) fn unknown(cause: Cause) -> Self {
        Self {
            value: Value::Unknown(cause),
            exported: Tri::Maybe(cause),
            read_only: Tri::Maybe(cause),
            odd: false,
            assigned: true,
            at: Some(cause.at),
        }
    }

    /// Anything may have happened to it since it was as it is.
    pub(super) fn lose(&mut self, cause: Cause) {
        self.assigned = true;
        if !matches!(self.value, Value::Unknown(_)) {
            self.value = Value::Unknown(cause);
            self.at = Some(cause.at);
        }
        if !matches!(self.exported, Tri::Maybe(_)) {
            self.exported = Tri::Maybe(cause);
        }
        // What is read-only stays so.
        if self.read_only == Tri::No {
            self.read_only = Tri::Maybe(cause);
        }
    }

    fn join(self, other: Self, cause: Cause) -> Self {
        let at = if self.value == other.value && self.exported == other.exported {
            self.at.or(other.at)
        } else {
            Some(cause.at)
        };
        Self {
            value: self.value.join(other.value, cause),
            exported: self.exported.join(other.exported, cause),
            read_only: self.read_only.join(other.read_only, cause),
            odd: self.odd || other.odd,
            assigned: self.assigned || other.assigned,
            at,
        }
    }
}

impl State {
    /// Is the same known in both?
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let known =
            |state: &Self| state.functions.values().map(|own| matches!(own, Function::Known(..))).collect::<Vec<_>>();
        self.variables.len() == other.variables.len()
            && self.variables.iter().zip(&other.variables).all(|(mine, theirs)| {
                let of = |own: &Variable| (own.exported, own.read_only, own.odd);
                mine.0 == theirs.0 && mine.1.value == theirs.1.value && of(mine.1) == of(theirs.1)
            })
            && self.functions.keys().eq(other.functions.keys())
            && known(self) == known(other)
            && self.aliases == other.aliases
            && self.parameters == other.parameters
            && self.export_all == other.export_all
            && self.odd_globs.is_some() == other.odd_globs.is_some()
    }

    /// What is known when either of two ways was gone, and `cause` is why it is not known which.
    pub(super) fn join(mut self, mut other: Self, cause: Cause, first: &dyn Fn(&[u8]) -> Variable) -> Self {
        if self.lost.is_some() || other.lost.is_some() {
            let cause = self.lost.or(other.lost).unwrap_or(cause);
            self.variables.append(&mut other.variables);
            self.lost = None;
            self.lose(cause);
            return self;
        }
        let names: BTreeSet<Vec<u8>> = self.variables.keys().chain(other.variables.keys()).cloned().collect();
        for name in names {
            let mine = self.variables.remove(&name).unwrap_or_else(|| first(&name));
            let theirs = other.variables.remove(&name).unwrap_or_else(|| first(&name));
            self.variables.insert(name, mine.join(theirs, cause));
        }
        let names: BTreeSet<Vec<u8>> = self.functions.keys().chain(other.functions.keys()).cloned().collect();
        for name in names {
            let same = match (self.functions.get(&name), other.functions.get(&name)) {
                (Some(Function::Known(mine, _)), Some(Function::Known(theirs, _))) => Rc::ptr_eq(mine, theirs),
                _ => false,
            };
            if !same {
                self.functions.insert(name, Function::Unknown(cause));
            }
        }
        self.aliases.append(&mut other.aliases);
        if self.parameters != other.parameters {
            self.parameters = Parameters::Unknown(cause);
        }
        self.export_all = self.export_all.join(other.export_all, cause);
        self.odd_globs = self.odd_globs.or(other.odd_globs);
        for (mine, theirs) in self.frames.iter_mut().zip(other.frames) {
            let names: BTreeSet<Vec<u8>> = mine.keys().chain(theirs.keys()).cloned().collect();
            for name in names {
                // Local on one way alone: then what it hides may have been changed.
                if !(mine.contains_key(&name) && theirs.contains_key(&name)) {
                    mine.insert(name, Some(Variable::unknown(cause)));
                }
            }
        }
        self.status = self.status.join(other.status, cause);
        self
    }

    /// Nothing is known any more.
    pub(super) fn lose(&mut self, cause: Cause) {
        if self.lost.is_none() && !self.supposing {
            self.lost = Some(cause);
            // What was not known before keeps its reason.
            self.variables.values_mut().for_each(|variable| variable.lose(cause));
            self.functions.clear();
        }
    }

    /// More than may be followed: that ends it, also where nothing else does.
    pub(super) fn exhaust(&mut self, cause: Cause) {
        self.supposing = false;
        self.lose(cause);
    }
}
