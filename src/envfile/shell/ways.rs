//! Ways through a file: branches, and loops over what is known or not.

use super::ast::{Clause, List, Node, Word};
use super::expand::{Argument, single};
use super::machine::{Flow, LOST, Loop, Shell};
use super::state::{Cause, Parameters, Tri, Value};

/// Why a login ends at a loop: nothing behind it is ever read.
const NO_END: &str = "a loop that never ends: no login gets past it";

/// Words that lead out of a loop, or to commands that may.
const LEAVE: [&[u8]; 7] = [b"break", b"return", b"exit", b"exec", b"eval", b"kill", b". "];

/// More rounds of a loop that has no end of its own are not followed.
const MOST_ROUNDS: usize = 200;

const ORDER: &str = "the order of the files depends on the language";

impl Shell<'_> {
    /// A loop that is gone around any number of times, or not at all.
    pub(super) fn around(&mut self, cause: Cause, node: &Node, round: impl Fn(&mut Self) -> Flow) -> Flow {
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

    /// A loop whose condition lets it go on for ever: it is left by `break`, `return` and the like alone. A round that changes
    /// nothing is followed by others like it.
    pub(super) fn endless(&mut self, node: &Node, round: impl Fn(&mut Self) -> Flow) -> Flow {
        self.loops.push(Loop::default());
        let mut flow = Flow::Exit(self.cause(node.start, LOST));
        for _ in 0..MOST_ROUNDS {
            let before = self.copied(node.start);
            let left = round(self);
            let parked = self.loops.last_mut().and_then(|own| own.continues.take());
            flow = self.landed(left, Flow::Continue(1), parked);
            if flow != Flow::Next || self.state.lost.is_some() {
                break;
            }
            flow = Flow::Exit(self.cause(node.start, LOST));
            if self.state.is_like(&before) {
                flow = Flow::Exit(self.cause(node.start, NO_END));
                break;
            }
        }
        self.left(flow)
    }

    /// Does a loop hold a word by which it could be left?
    pub(super) fn may_leave(&self, node: &Node) -> bool {
        let text = self.script.text.get(node.start..node.end).unwrap_or_default();
        LEAVE.iter().any(|word| memchr::memmem::find(text, word).is_some())
    }

    /// Does a condition say the same in every round, whatever the rounds change?
    pub(super) fn is_constant(&self, condition: &List) -> bool {
        let Some(words) = single(condition).filter(|own| own.assignments.is_empty()).map(|own| &own.words) else {
            return false;
        };
        let words: Option<Vec<Vec<u8>>> = words.iter().map(Word::literal).collect();
        let Some((name, arguments)) = words.as_deref().and_then(<[_]>::split_first) else { return false };
        // What begins with a hyphen may ask for a file.
        let plain = || arguments.iter().all(|word| !word.starts_with(b"-"));
        !self.state.functions.contains_key(name)
            && !self.state.aliases.contains(name)
            && (matches!(name.as_slice(), b":" | b"true" | b"false")
                || matches!(name.as_slice(), b"[" | b"test") && plain())
    }

    pub(super) fn arms(&mut self, arms: &[(List, List)], otherwise: Option<&List>) -> Flow {
        let mut arms = arms;
        while let Some(((condition, body), rest)) = arms.split_first() {
            let flow = self.list(condition);
            if flow != Flow::Next || self.state.lost.is_some() {
                return flow;
            }
            match self.state.status {
                Tri::Yes => return self.list(body),
                Tri::No => arms = rest,
                Tri::Maybe(cause) => {
                    let at = self.script.ends.first().copied().unwrap_or(0);
                    return self.fork(cause, at, |shell| shell.list(body), |shell| shell.arms(rest, otherwise));
                }
            }
        }
        self.state.status = Tri::Yes;
        otherwise.map_or(Flow::Next, |list| self.list(list))
    }

    pub(super) fn clauses(&mut self, value: &Value, clauses: &[Clause]) -> Flow {
        let mut clauses = clauses;
        while let Some((clause, rest)) = clauses.split_first() {
            let mut hit = Tri::No;
            for pattern in &clause.patterns {
                let matches = self.matches(value, pattern);
                hit = hit.not().and(|| matches.not()).not();
            }
            let at = clause.patterns.first().map_or(0, |pattern| pattern.start);
            if clause.falls_through && hit != Tri::No {
                let cause = self.cause(at, LOST);
                self.state.lose(cause);
                return Flow::Next;
            }
            match hit {
                Tri::Yes => return self.list(&clause.body),
                Tri::No => clauses = rest,
                Tri::Maybe(cause) => {
                    return self.fork(cause, at, |shell| shell.list(&clause.body), |shell| shell.clauses(value, rest));
                }
            }
        }
        Flow::Next
    }

    pub(super) fn for_loop(&mut self, node: &Node, name: &[u8], words: Option<&[Word]>, body: &List) -> Flow {
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
}
