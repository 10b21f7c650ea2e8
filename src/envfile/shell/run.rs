//! Runs what files consist of, one command after the other.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ast::{AndOr, Assignment, Clause, Command, List, Node, Pipeline, Script, Simple, Stop, Word};
use super::expand::Argument;
use super::files::Content;
use super::machine::{Flow, LOST, Loop, Parked, Shell};
use super::parse::parse;
use super::state::{Cause, Function, Parameters, State, Tri, Value, Variable};

/// Files and functions that are open at the same time.
const DEEPEST: usize = 20;

const SYNTAX: &str = "the shell stops here with a syntax error, and that ends it";
const CALLS: &str = "files or functions lead to each other without end";
const ORDER: &str = "the order of the files depends on the language";

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
                    self.rejected = self.rejected.or(Some(self.cause(at, SYNTAX)));
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
    fn landed(&mut self, flow: Flow, here: Flow, parked: Parked) -> Flow {
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
        if self.state.lost.is_some() {
            return Flow::Next;
        }
        let first = one(self);
        let after = std::mem::replace(&mut self.state, before);
        let second = other(self);
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

    /// A loop that is gone around any number of times, or not at all.
    fn around(&mut self, cause: Cause, node: &Node, round: impl Fn(&mut Self) -> Flow) -> Flow {
        self.loops.push(Loop::default());
        // Until one more round changes nothing that is known.
        loop {
            let before = self.copied(node.start);
            self.fork(
                cause,
                node.start,
                |shell| {
                    let flow = round(shell);
                    let parked = shell.loops.last_mut().and_then(|own| own.continues.take());
                    shell.landed(flow, Flow::Continue(1), parked)
                },
                |_| Flow::Next,
            );
            if self.state.lost.is_some() || self.state.is_like(&before) {
                break;
            }
        }
        self.state.status = Tri::Maybe(cause);
        self.left(Flow::Next)
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

    fn arms(&mut self, arms: &[(List, List)], otherwise: Option<&List>) -> Flow {
        let Some(((condition, body), rest)) = arms.split_first() else {
            self.state.status = Tri::Yes;
            return otherwise.map_or(Flow::Next, |list| self.list(list));
        };
        let flow = self.list(condition);
        if flow != Flow::Next || self.state.lost.is_some() {
            return flow;
        }
        match self.state.status {
            Tri::Yes => self.list(body),
            Tri::No => self.arms(rest, otherwise),
            Tri::Maybe(cause) => {
                let at = self.script.ends.first().copied().unwrap_or(0);
                self.fork(cause, at, |shell| shell.list(body), |shell| shell.arms(rest, otherwise))
            }
        }
    }

    fn clauses(&mut self, value: &Value, clauses: &[Clause]) -> Flow {
        let Some((clause, rest)) = clauses.split_first() else { return Flow::Next };
        let mut hit = Tri::No;
        for pattern in &clause.patterns {
            let matches = self.matches(value, pattern);
            hit = hit.not().and(|| matches.not()).not();
        }
        if clause.falls_through && hit != Tri::No {
            let cause = self.cause(clause.patterns.first().map_or(0, |pattern| pattern.start), LOST);
            self.state.lose(cause);
            return Flow::Next;
        }
        match hit {
            Tri::Yes => self.list(&clause.body),
            Tri::No => self.clauses(value, rest),
            Tri::Maybe(cause) => {
                let at = clause.patterns.first().map_or(0, |pattern| pattern.start);
                self.fork(cause, at, |shell| shell.list(&clause.body), |shell| shell.clauses(value, rest))
            }
        }
    }

    fn for_loop(&mut self, node: &Node, name: &[u8], words: Option<&[Word]>, body: &List) -> Flow {
        let arguments = match (words, &self.state.parameters) {
            (Some(words), _) => self.arguments(words),
            (None, Parameters::Known(list)) => {
                list.iter().map(|text| Argument::One(Value::Known(text.clone()))).collect()
            }
            (None, Parameters::Unknown(cause)) => vec![Argument::Any(*cause)],
        };
        if arguments.iter().any(|argument| matches!(argument, Argument::Any(_))) {
            let cause = self.cause(node.start, "a loop over what only the shell knows");
            return self.around(cause, node, |shell| {
                let flow = shell.assign(name, Value::Unknown(cause), node.start);
                if flow == Flow::Next { shell.list(body) } else { flow }
            });
        }
        let values: Vec<Value> = arguments
            .into_iter()
            .filter_map(|argument| match argument {
                Argument::One(value) => Some(value),
                Argument::Any(_) => None,
            })
            .collect();
        let orders = self.orders(values);
        let mut orders = orders.into_iter();
        let Some(first) = orders.next() else { return Flow::Next };
        let others: Vec<Vec<Value>> = orders.collect();
        let cause = self.cause(node.start, ORDER);
        self.in_orders(cause, node, name, body, &first, &others)
    }

    /// One after the other in the only order, or in any of them.
    fn in_orders(
        &mut self,
        cause: Cause,
        node: &Node,
        name: &[u8],
        body: &List,
        order: &[Value],
        others: &[Vec<Value>],
    ) -> Flow {
        match others.split_first() {
            None => self.iterate(node, name, body, order),
            Some((next, rest)) => self.fork(
                cause,
                node.start,
                |shell| shell.iterate(node, name, body, order),
                |shell| shell.in_orders(cause, node, name, body, next, rest),
            ),
        }
    }

    fn iterate(&mut self, node: &Node, name: &[u8], body: &List, values: &[Value]) -> Flow {
        self.loops.push(Loop::default());
        self.state.status = Tri::Yes;
        let mut flow = Flow::Next;
        for value in values {
            if !self.charge(1, node.start) {
                break;
            }
            flow = self.assign(name, value.clone(), node.start);
            if flow == Flow::Next {
                flow = self.list(body);
                let parked = self.loops.last_mut().and_then(|own| own.continues.take());
                flow = self.landed(flow, Flow::Continue(1), parked);
            }
            if flow != Flow::Next {
                break;
            }
        }
        self.left(flow)
    }

    /// A loop ends with this flow, and with what was parked for its end.
    fn left(&mut self, flow: Flow) -> Flow {
        let parked = self.loops.pop().and_then(|own| own.breaks);
        match self.landed(flow, Flow::Break(1), parked) {
            Flow::Break(level) => Flow::Break(level - 1),
            Flow::Continue(level) => Flow::Continue(level - 1),
            flow => flow,
        }
    }

    /// bash sorts the names of a pattern by the language, which decides between names that differ in more than letters of
    /// one case: then all orders that a language may have.
    fn orders(&self, values: Vec<Value>) -> Vec<Vec<Value>> {
        let text = |value: &Value| match value {
            Value::Known(text) => text.clone(),
            _ => Vec::new(),
        };
        let sorted = values.windows(2).all(|pair| text(&pair[0]) < text(&pair[1]));
        let plain = [b"LC_ALL".as_slice(), b"LC_COLLATE", b"LANG"].iter().all(|name| {
            matches!(self.variable(name).value, Value::Unset)
                || matches!(&self.variable(name).value, Value::Known(text) if matches!(text.as_slice(), b"" | b"C" | b"POSIX"))
        });
        let mut orders = vec![values];
        // dash sorts by bytes; what is not in that order was not sorted by the shell at all.
        if !self.is_bash() || plain || !sorted || orders[0].len() < 2 {
            return orders;
        }
        let mut folded = orders[0].clone();
        folded.sort_by_key(|value| text(value).to_ascii_lowercase());
        let mut letters = orders[0].clone();
        letters.sort_by_key(|value| {
            let mut text = text(value).to_ascii_lowercase();
            text.retain(|byte| byte.is_ascii_alphanumeric() || *byte == b'/');
            text
        });
        for order in [folded, letters] {
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        orders
    }

    fn simple(&mut self, simple: &Simple, node: &Node) -> Flow {
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
                word.parts
                    .iter()
                    .any(|part| matches!(part, super::ast::Part::Text { bytes, .. } if bytes.contains(&b'/')))
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
        let special = super::builtins::is_special(&name) && !self.is_bash();
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
            }
            let flow = self.run(&name, words, &arguments[1..], node);
            if super::builtins::is_special(&name) {
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
        let declares = simple.words.first().and_then(Word::bare).is_some_and(super::builtins::declares);
        let words = if declares { &simple.words[..1] } else { &simple.words[..] };
        self.arguments(words)
    }

    fn assignments(&mut self, assignments: &[Assignment]) -> Flow {
        for assignment in assignments {
            let at = assignment.value.start;
            self.state.status = Tri::Yes;
            let asked = assignment.value.parts.iter().any(|part| matches!(part, super::ast::Part::Substitution { .. }));
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
            (Value::Known(before), Value::Known(after)) => Value::Known([before, after].concat()),
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
            self.state.lose(cause);
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
