//! Simple commands: assignments, calls of functions, and who runs the rest.

use std::rc::Rc;

use super::ast::{Assignment, Node, Part, Script, Simple, Word};
use super::builtins::{declares, is_special};
use super::expand::Argument;
use super::machine::{CALLS, DEEPEST, Flow, LOST, READ_ONLY, Shell};
use super::state::{Cause, Function, Parameters, Tri, Value, Variable};

impl Shell<'_> {
    pub(super) fn simple(&mut self, simple: &Simple, node: &Node) -> Flow {
        let arguments = self.arguments_of(simple);
        if self.state.lost.is_some() {
            return Flow::Next;
        }
        let Some(first) = arguments.first() else {
            let flow = self.assignments(&simple.assignments);
            if flow == Flow::Next && simple.assignments.is_empty() {
                self.state.status = Tri::Yes;
            }
            return flow;
        };
        let Some(name) = first.known().map(<[u8]>::to_vec) else {
            let spelled = simple.words.first().is_some_and(|word| {
                word.parts.iter().any(|part| matches!(part, Part::Text { bytes, .. } if bytes.contains(&b'/')))
            });
            let cause = first.cause().unwrap_or(self.cause(node.start, LOST));
            if spelled && matches!(first, Argument::One(_)) {
                // A path is no command of the shell's own.
                self.state.status = Tri::Maybe(cause);
            } else {
                self.state.lose(Cause { why: "which command runs here only the shell knows", ..cause });
            }
            return Flow::Next;
        };
        let special = is_special(&name) && !self.is_bash();
        let words = simple.words.split_first().map_or(&[][..], |(_, words)| words);
        if simple.assignments.is_empty() {
            return self.run(&name, words, &arguments[1..], node);
        }
        if special {
            let flow = self.assignments(&simple.assignments);
            let flow = if flow == Flow::Next { self.run(&name, words, &arguments[1..], node) } else { flow };
            self.leave_own(&simple.assignments, node.start);
            return flow;
        }
        if !self.state.functions.contains_key(&name) && !matches!(name.as_slice(), b"." | b"source" | b"eval") {
            // A command with variables of its own; `:=` in them would stay.
            for assignment in &simple.assignments {
                _ = self.scalar(&assignment.value);
                match self.variable(&assignment.name).read_only {
                    Tri::No => {}
                    Tri::Yes if !self.is_bash() => return self.failure(node.start, READ_ONLY),
                    Tri::Yes | Tri::Maybe(_) => {
                        let cause = self.cause(node.start, READ_ONLY);
                        self.state.lose(cause);
                        return Flow::Next;
                    }
                }
            }
            let flow = self.run(&name, words, &arguments[1..], node);
            if is_special(&name) {
                self.leave_own(&simple.assignments, node.start);
            }
            return flow;
        }
        let before: Vec<(Vec<u8>, Variable)> =
            simple.assignments.iter().map(|own| (own.name.clone(), self.variable(&own.name))).collect();
        let flow = self.assignments(&simple.assignments);
        if flow != Flow::Next {
            return flow;
        }
        for (name, _) in &before {
            let at = self.at(node.start);
            self.touched(name, at).exported = Tri::Yes;
        }
        let flow = self.run(&name, words, &arguments[1..], node);
        if self.state.lost.is_none() {
            self.state.variables.extend(before);
        }
        self.leave_own(&simple.assignments, node.start);
        flow
    }

    /// Variables of its own that a command has: what is left of them in the shell, POSIX modes and releases differ.
    fn leave_own(&mut self, assignments: &[Assignment], at: usize) {
        if self.is_alone() {
            let (cause, here) = (self.cause(at, "shells differ in what they keep of this"), self.at(at));
            for assignment in assignments {
                self.touched(&assignment.name, here).lose(cause);
            }
        }
    }

    /// The fields of a command; what declares variables takes its words by itself.
    fn arguments_of(&mut self, simple: &Simple) -> Vec<Argument> {
        let declares = simple.words.first().and_then(Word::bare).is_some_and(declares);
        let words = if declares { &simple.words[..1] } else { &simple.words[..] };
        self.arguments(words)
    }

    fn assignments(&mut self, assignments: &[Assignment]) -> Flow {
        for assignment in assignments {
            let at = assignment.value.start;
            self.state.status = Tri::Yes;
            let asked = assignment.value.parts.iter().any(|part| matches!(part, Part::Substitution { .. }));
            let value = self.assigned(assignment);
            let flow = self.assign(&assignment.name, value, at);
            if flow != Flow::Next {
                return flow;
            }
            if asked {
                self.state.status = Tri::Maybe(self.cause(at, "a command decides it"));
            }
            if assignment.array {
                self.make_odd(&assignment.name, at);
            }
        }
        Flow::Next
    }

    /// The value that an assignment gives.
    pub(super) fn assigned(&mut self, assignment: &Assignment) -> Value {
        let value = self.scalar(&assignment.value);
        if !assignment.appends {
            return value;
        }
        match (self.variable(&assignment.name).value, value) {
            (Value::Unset, value) => value,
            (Value::Known(before), Value::Known(after)) if self.charge(before.len() / 16, assignment.value.start) => {
                Value::Known([before, after].concat())
            }
            (before, after) => {
                let cause = before.cause().or(after.cause()).unwrap_or(self.cause(assignment.value.start, LOST));
                Value::Unknown(cause)
            }
        }
    }

    /// Assignments to it mean something else from here on.
    pub(super) fn make_odd(&mut self, name: &[u8], at: usize) {
        let cause = self.cause(at, "arrays and numbers are not followed");
        let here = self.at(at);
        let variable = self.touched(name, here);
        (variable.odd, variable.assigned) = (true, true);
        variable.value = Value::Unknown(cause);
    }

    fn run(&mut self, name: &[u8], words: &[Word], arguments: &[Argument], node: &Node) -> Flow {
        let at = node.start;
        if self.state.aliases.contains(name) && (self.interactive || !self.is_bash()) {
            let cause = self.cause(at, "an alias stands here");
            self.state.lose(cause);
            return Flow::Next;
        }
        match self.state.functions.get(name).cloned() {
            Some(Function::Known(body, script)) => self.call(&body, script, arguments, at),
            Some(Function::Unknown(cause)) => {
                self.state.lose(cause);
                Flow::Next
            }
            None => self.builtin(name, words, arguments, at),
        }
    }

    fn call(&mut self, body: &Rc<Node>, script: Rc<Script>, arguments: &[Argument], at: usize) -> Flow {
        if self.depth >= DEEPEST {
            let cause = self.cause(at, CALLS);
            self.state.exhaust(cause);
            return Flow::Next;
        }
        let parameters = self.parameters(arguments);
        let before = std::mem::replace(&mut self.state.parameters, parameters);
        self.state.frames.push(Default::default());
        let file = self.file_index(&script.path);
        let caller = (std::mem::replace(&mut self.script, script), std::mem::replace(&mut self.file, file));
        let flow = self.framed(|shell| shell.node(body));
        (self.script, self.file) = caller;
        if self.state.lost.is_none() {
            for (name, hidden) in self.state.frames.pop().unwrap_or_default() {
                match hidden {
                    Some(variable) => _ = self.state.variables.insert(name, variable),
                    None => _ = self.state.variables.remove(&name),
                }
            }
            self.state.parameters = before;
        }
        flow
    }

    pub(super) fn parameters(&self, arguments: &[Argument]) -> Parameters {
        let known: Option<Vec<Vec<u8>>> = arguments.iter().map(|own| own.known().map(<[u8]>::to_vec)).collect();
        match known {
            Some(list) => Parameters::Known(list),
            None => {
                let cause = arguments.iter().find_map(Argument::cause);
                Parameters::Unknown(cause.unwrap_or(self.cause(0, LOST)))
            }
        }
    }
}
