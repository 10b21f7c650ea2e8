//! Runs what files consist of, one command after the other.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ast::{AndOr, Command, List, Node, Pipeline, Script, Stop, Word};
use super::expand::Argument;
use super::files::Content;
use super::machine::{CALLS, DEEPEST, Flow, LOST, Parked, Shell};
use super::parse::parse;
use super::state::{Cause, Function, State, Tri};

/// Ways that part within each other: what has more is not followed.
const MOST_FORKS: usize = 100;

const SYNTAX: &str = "the shell stops here with a syntax error, and that ends it";

impl Shell<'_> {
    /// `.` with a constant path.
    pub(super) fn source(&mut self, path: &Path, at: usize) -> Flow {
        let cause = self.cause(at, CALLS);
        let script = match self.scripts.get(path) {
            Some(script) => Rc::clone(script),
            None => match self.eyes.content(path) {
                Content::Text(text) => {
                    if !self.charge(text.len() / 16, at) {
                        return Flow::Next;
                    }
                    let script = Rc::new(parse(path, text, None, self.is_bash()));
                    self.scripts.insert(path.to_path_buf(), Rc::clone(&script));
                    script
                }
                Content::None => {
                    return self.failure(at, "the file to source is not there for the user, which ends sh");
                }
                Content::Unknown(why) => {
                    let file = self.file_index(path);
                    self.state.lose(Cause { at: super::state::At { file, line: 0 }, why });
                    return Flow::Next;
                }
            },
        };
        if self.depth >= DEEPEST {
            self.state.lose(cause);
            return Flow::Next;
        }
        self.framed(|shell| shell.script(script))
    }

    /// A text that is read wherever this file is sourced.
    pub(super) fn instead(&mut self, path: &Path, text: &str) {
        let script = parse(path, text.as_bytes().to_vec(), None, self.is_bash());
        self.scripts.insert(path.to_path_buf(), Rc::new(script));
    }

    /// The commands of a file or of an `eval`, in the running frame.
    pub(super) fn script(&mut self, script: Rc<Script>) -> Flow {
        let before = (std::mem::replace(&mut self.script, Rc::clone(&script)), self.file);
        if script.fixed_line.is_none() {
            self.file = self.file_index(&script.path);
        }
        self.state.status = Tri::Yes;
        let mut flow = Flow::Next;
        for line in &script.lines {
            self.discards.push(None);
            flow = self.list(line);
            let parked = self.discards.pop().flatten();
            flow = self.landed(flow, Flow::Discard, parked);
            if flow != Flow::Next {
                break;
            }
        }
        if flow == Flow::Next {
            flow = match script.stop {
                None => Flow::Next,
                Some((Stop::Rejected(at), _)) => {
                    // bash goes on behind the file.
                    self.rejected = Some(self.cause(at, SYNTAX)).filter(|_| self.is_bash());
                    self.failure(at, SYNTAX)
                }
                Some((Stop::Lost(at), _)) if self.is_alone() => {
                    let cause = self.cause(at, LOST);
                    self.state.lose(cause);
                    Flow::Next
                }
                Some((Stop::Lost(at), from)) => {
                    let cause = self.cause(at, LOST);
                    self.lose_text(&script.text[from..], cause);
                    Flow::Next
                }
            };
        }
        (self.script, self.file) = before;
        flow
    }

    /// Where a flow ends that was going to `here`: with what was parked there, the reading goes on.
    pub(super) fn landed(&mut self, flow: Flow, here: Flow, parked: Parked) -> Flow {
        let flow = if flow == here { Flow::Next } else { flow };
        match (flow, parked) {
            (flow, None) => flow,
            (Flow::Next, Some((state, cause))) => {
                self.join(state, cause);
                Flow::Next
            }
            (flow, Some((state, cause))) => {
                let mine = std::mem::replace(&mut self.state, state);
                self.park(flow, mine, cause);
                Flow::Next
            }
        }
    }

    /// What `return` leaves: a function or a file.
    pub(super) fn framed(&mut self, body: impl FnOnce(&mut Self) -> Flow) -> Flow {
        self.returns.push(None);
        let loops = std::mem::take(&mut self.loops);
        self.depth += 1;
        let flow = body(self);
        self.depth -= 1;
        self.loops = loops;
        let parked = self.returns.pop().flatten();
        let flow = self.landed(flow, Flow::Return, parked);
        if matches!(flow, Flow::Break(_) | Flow::Continue(_)) {
            // Which loop it leaves the shells do not agree on.
            let cause = Cause { at: super::state::At { file: self.file, line: 0 }, why: LOST };
            self.state.lose(cause);
            return Flow::Next;
        }
        flow
    }

    pub(super) fn list(&mut self, list: &List) -> Flow {
        for and_or in list {
            let flow = self.and_or(and_or);
            if flow != Flow::Next || self.state.lost.is_some() {
                return flow;
            }
        }
        Flow::Next
    }

    fn and_or(&mut self, and_or: &AndOr) -> Flow {
        if and_or.background {
            self.state.status = Tri::Yes;
            return Flow::Next;
        }
        let flow = self.pipeline(&and_or.first);
        if flow != Flow::Next { flow } else { self.joined(&and_or.rest) }
    }

    /// What follows the first pipeline of a list.
    fn joined(&mut self, rest: &[(bool, Pipeline)]) -> Flow {
        let mut rest = rest;
        while let Some(((or, pipeline), after)) = rest.split_first() {
            let runs = if *or { self.state.status.not() } else { self.state.status };
            let flow = match runs {
                Tri::Yes => self.pipeline(pipeline),
                Tri::No => Flow::Next,
                Tri::Maybe(cause) => {
                    let status = Tri::of(*or);
                    let at = pipeline.commands.first().map_or(0, |node| node.start);
                    self.fork(
                        cause,
                        at,
                        |shell| shell.pipeline(pipeline),
                        |shell| {
                            shell.state.status = status;
                            Flow::Next
                        },
                    )
                }
            };
            if flow != Flow::Next || self.state.lost.is_some() {
                return flow;
            }
            rest = after;
        }
        Flow::Next
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Flow {
        let [node] = pipeline.commands.as_slice() else {
            let at = pipeline.commands.first().map_or(0, |node| node.start);
            self.state.status = Tri::Maybe(self.cause(at, "a command decides it"));
            return Flow::Next;
        };
        let flow = self.node(node);
        if pipeline.negated {
            self.state.status = self.state.status.not();
        }
        flow
    }

    pub(super) fn node(&mut self, node: &Node) -> Flow {
        if !self.charge(1, node.start) {
            return Flow::Next;
        }
        if node.redirections_work {
            return self.command(node);
        }
        // Where the file cannot be opened, the command does not run.
        let cause = self.cause(node.start, "whether a file can be opened here");
        let bash = self.is_bash();
        let special = matches!(&node.command, Command::Simple(simple) if simple.words.first()
            .and_then(Word::bare).is_some_and(super::builtins::is_special));
        self.fork(
            cause,
            node.start,
            |shell| shell.command(node),
            |shell| {
                shell.state.status = Tri::No;
                if special && !bash { Flow::Exit(cause) } else { Flow::Next }
            },
        )
    }

    /// Goes either way, as nobody knows which one the shell goes.
    pub(super) fn fork(
        &mut self,
        cause: Cause,
        at: usize,
        one: impl FnOnce(&mut Self) -> Flow,
        other: impl FnOnce(&mut Self) -> Flow,
    ) -> Flow {
        let before = self.copied(at);
        if self.forks >= MOST_FORKS {
            self.state.exhaust(cause);
        }
        if self.state.lost.is_some() {
            return Flow::Next;
        }
        self.forks += 1;
        let first = one(self);
        let after = std::mem::replace(&mut self.state, before);
        let second = other(self);
        self.forks -= 1;
        match (first, second) {
            (first, second) if first == second => {
                self.join(after, cause);
                first
            }
            (Flow::Next, flow) => {
                let parked = std::mem::replace(&mut self.state, after);
                self.park(flow, parked, cause);
                Flow::Next
            }
            (flow, second) => {
                self.park(flow, after, cause);
                second
            }
        }
    }

    fn command(&mut self, node: &Node) -> Flow {
        let at = node.start;
        match &node.command {
            Command::Simple(simple) => self.simple(simple, node),
            Command::Group(list) => self.list(list),
            Command::Subshell => {
                self.state.status = Tri::Maybe(self.cause(at, "a command decides it"));
                Flow::Next
            }
            Command::If(arms, otherwise) => self.arms(arms, otherwise.as_ref()),
            Command::For(name, words, body) => self.for_loop(node, name, words.as_deref(), body),
            Command::Loop { until, condition, body } => {
                let flow = self.list(condition);
                if flow != Flow::Next {
                    return flow;
                }
                let ends = if *until { Tri::Yes } else { Tri::No };
                if self.state.status == ends {
                    self.state.status = Tri::Yes;
                    return Flow::Next;
                }
                if self.is_constant(condition) && !self.may_leave(node) && !matches!(self.state.status, Tri::Maybe(_)) {
                    return self.endless(node, |shell| shell.list(body));
                }
                let cause = self.cause(at, "a loop whose end only the shell knows");
                self.around(cause, node, |shell| {
                    let flow = shell.list(body);
                    if flow == Flow::Next { shell.list(condition) } else { flow }
                })
            }
            Command::Case(subject, clauses) => {
                let value = self.scalar(subject);
                self.state.status = Tri::Yes;
                self.clauses(&value, clauses)
            }
            Command::Function(name, body) => {
                if super::builtins::is_special(name) {
                    let cause = self.cause(at, LOST);
                    self.state.lose(cause);
                }
                let function = Function::Known(Rc::clone(body), Rc::clone(&self.script));
                self.state.functions.insert(name.clone(), function);
                self.state.status = Tri::Yes;
                Flow::Next
            }
            Command::Condition(condition) => {
                self.state.status = self.condition(condition);
                Flow::Next
            }
            Command::Opaque => {
                self.opaque(node, "only the running shell can work this out");
                Flow::Next
            }
        }
    }

    /// Whatever is spelled in the text of a command may have been done.
    fn opaque(&mut self, node: &Node, why: &'static str) {
        let cause = self.cause(node.start, why);
        let script = Rc::clone(&self.script);
        let text = &script.text[node.start..node.end];
        if memchr::memmem::find(text, b"return").is_some() {
            let mut lost = self.copied(node.start);
            std::mem::swap(&mut lost, &mut self.state);
            self.lose_text(text, cause);
            std::mem::swap(&mut lost, &mut self.state);
            self.park(Flow::Return, lost, cause);
        }
        self.lose_text(text, cause);
        self.state.status = Tri::Maybe(cause);
    }

    /// A path that is spelled from the root.
    pub(super) fn path_of(argument: &Argument) -> Option<PathBuf> {
        let text = argument.known()?;
        text.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(text)))
    }

    /// What was known before two ways parted, for those that end on either.
    pub(super) fn ended(&mut self, flow: Flow) -> Option<Cause> {
        match (flow, self.exits.take()) {
            (Flow::Exit(cause), _) => Some(cause),
            (_, Some((state, cause))) => {
                let state: State = state;
                self.join(state, cause);
                None
            }
            _ => None,
        }
    }
}
