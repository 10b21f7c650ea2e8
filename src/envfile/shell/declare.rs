//! `export` and its kin, and `unset`.

use super::ast::{Part, Word, is_name};
use super::expand::Argument;
use super::machine::{Flow, LOST, Shell};
use super::state::{Cause, Function, Tri, Value, Variable};

/// A word of a declaration.
struct Declared {
    name: Vec<u8>,
    value: Option<Value>,
    array: bool,
}

impl Shell<'_> {
    /// What `export` and its kin are told about names; `Err`: that is not known.
    fn declared(&mut self, words: &[Word]) -> Result<(Vec<Vec<u8>>, Vec<Declared>), Cause> {
        let mut options = Vec::new();
        let mut declared = Vec::new();
        let mut rest_are_names = false;
        for word in words {
            // What becomes one by its braces is none to bash: it is a field, without a home for `~`.
            let assigns = word.assignment(self.is_bash()).is_some();
            for word in self.braces(word)? {
                if let Some(assignment) = word.assignment(self.is_bash()).filter(|_| assigns) {
                    let mut value = self.assigned(&assignment);
                    // Older dash takes it apart and looks for files.
                    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:@%+=,-~".contains(byte);
                    let open = word.parts.iter().any(|part| {
                        matches!(part, Part::Parameter { quoted: false, .. } | Part::Substitution { quoted: false, .. })
                    });
                    if !self.is_bash() && open && !matches!(&value, Value::Known(text) if text.iter().all(plain)) {
                        value = Value::Unknown(self.cause(word.start, "older releases of dash take the value apart"));
                    }
                    declared.push(Declared { name: assignment.name, value: Some(value), array: assignment.array });
                    continue;
                }
                for argument in self.arguments(std::slice::from_ref(&word)) {
                    let cause = self.cause(word.start, "which variable it is only the shell knows");
                    let Some(text) = argument.known() else { return Err(argument.cause().unwrap_or(cause)) };
                    let sign = matches!(text.first(), Some(b'-' | b'+')) && !rest_are_names && declared.is_empty();
                    match memchr::memchr(b'=', text) {
                        _ if sign => {
                            rest_are_names = text == b"--";
                            options.push(text.to_vec());
                        }
                        Some(equals) if is_name(&text[..equals]) => declared.push(Declared {
                            name: text[..equals].to_vec(),
                            value: Some(Value::Known(text[equals + 1..].to_vec())),
                            array: false,
                        }),
                        _ => declared.push(Declared { name: text.to_vec(), value: None, array: false }),
                    }
                }
            }
        }
        Ok((options, declared))
    }

    /// `export`, `readonly`, `declare`, `typeset`, `local`.
    pub(super) fn declaration(&mut self, command: &[u8], words: &[Word], at: usize) -> Flow {
        let (options, declared) = match self.declared(words) {
            Ok(found) => found,
            Err(cause) => {
                self.state.lose(cause);
                return Flow::Next;
            }
        };
        self.state.status = Tri::Yes;
        let in_function = !self.state.frames.is_empty();
        let (mut exports, mut read_only, mut odd, mut local) =
            (command == b"export", command == b"readonly", false, false);
        let mut withdraws = false;
        match command {
            b"local" => local = true,
            b"declare" | b"typeset" => local = in_function,
            _ => {}
        }
        for option in &options {
            for letter in option.get(1..).unwrap_or_default() {
                match (command, option[0], letter) {
                    (_, _, b'-') => {}
                    // Functions and listings.
                    (_, b'-', b'f' | b'F' | b'p') => return Flow::Next,
                    (b"export", b'-', b'n') if self.is_bash() => (exports, withdraws) = (false, true),
                    (b"declare" | b"typeset" | b"local", b'-', b'x') if self.is_bash() => exports = true,
                    (b"declare" | b"typeset" | b"local", b'+', b'x') if self.is_bash() => withdraws = true,
                    (b"declare" | b"typeset" | b"local", b'-', b'r') if self.is_bash() => read_only = true,
                    (b"declare" | b"typeset", b'-', b'g') if self.is_bash() => local = false,
                    (_, b'-', b'a' | b'A' | b'i' | b'l' | b'u' | b'c' | b't') if self.is_bash() => odd = true,
                    _ => {
                        // References and what dash does not have.
                        if !self.is_bash() {
                            return self.failure(at, "an option that ends the shell");
                        }
                        let cause = self.cause(at, LOST);
                        self.state.lose(cause);
                        return Flow::Next;
                    }
                }
            }
        }
        if local && !in_function {
            self.state.status = Tri::No;
            return if !self.is_bash() {
                self.failure(at, "local ends the shell outside of functions")
            } else {
                Flow::Next
            };
        }
        for Declared { name, value, array } in declared {
            if !is_name(&name) {
                self.state.status = Tri::No;
                // NAME[…]
                let cause = self.cause(at, LOST);
                if name.contains(&b'[') {
                    self.state.lose(cause);
                }
                if !self.is_bash() {
                    return self.failure(at, "what is no name ends the shell");
                }
                continue;
            }
            if local {
                self.make_local(&name, at);
            }
            let here = self.at(at);
            if let Some(value) = value {
                match self.assign(&name, value, at) {
                    Flow::Next => {}
                    // Of the names of one command the others are declared all the same, and `export` goes on with this one.
                    Flow::Discard if !matches!(command, b"export" | b"readonly") => continue,
                    Flow::Discard => {}
                    flow => return flow,
                }
            }
            if self.state.lost.is_some() {
                return Flow::Next;
            }
            if odd || array {
                self.make_odd(&name, at);
            }
            let variable = self.touched(&name, here);
            if exports {
                variable.exported = Tri::Yes;
            }
            if withdraws {
                variable.exported = Tri::No;
            }
            if read_only {
                variable.read_only = Tri::Yes;
            }
        }
        Flow::Next
    }

    fn make_local(&mut self, name: &[u8], at: usize) {
        let here = self.at(at);
        let hidden = self.state.variables.get(name).cloned();
        let before = self.variable(name);
        let Some(frame) = self.state.frames.last_mut() else { return };
        frame.entry(name.to_vec()).or_insert(hidden);
        // It has no value of its own yet; in dash it keeps the outer one, and it is exported where that was.
        let value = if !self.is_bash() { before.value } else { Value::Unset };
        let variable = self.touched(name, here);
        (variable.value, variable.assigned) = (value, true);
        variable.read_only = before.read_only;
    }

    pub(super) fn unset(&mut self, arguments: &[Argument], at: usize) -> Flow {
        let here = self.at(at);
        let mut variables = true;
        let mut functions = true;
        for (index, argument) in arguments.iter().enumerate() {
            let Some(name) = argument.known() else {
                let cause = argument.cause().unwrap_or(self.cause(at, LOST));
                self.state.lose(cause);
                return Flow::Next;
            };
            match name {
                b"-f" if index == 0 => variables = false,
                b"-v" if index == 0 => functions = false,
                name if !variables => _ = self.state.functions.remove(name),
                name if is_name(name) => {
                    let found = self.variable(name);
                    match found.read_only {
                        Tri::No => {}
                        Tri::Yes | Tri::Maybe(_) if self.is_strict() => {
                            let cause = self.cause(at, "a read-only variable is unset, which ends the shell");
                            self.state.lose(cause);
                            return Flow::Next;
                        }
                        Tri::Yes => {
                            self.state.status = Tri::No;
                            if !self.is_bash() {
                                return self.failure(at, "a read-only variable is unset, which ends the shell");
                            }
                            continue;
                        }
                        Tri::Maybe(cause) => {
                            self.touched(name, here).lose(cause);
                            continue;
                        }
                    }
                    // Only where there is no such variable bash takes a function of that name.
                    if functions && self.state.functions.contains_key(name) && self.is_bash() {
                        match found.value {
                            Value::Unset => _ = self.state.functions.remove(name),
                            Value::Unknown(cause) => {
                                _ = self.state.functions.insert(name.to_vec(), Function::Unknown(cause));
                            }
                            _ => {}
                        }
                    }
                    if self.state.frames.iter().any(|frame| frame.contains_key(name)) {
                        // What a local variable hid may come back.
                        let cause = self.cause(at, "a local variable is unset");
                        self.touched(name, here).lose(cause);
                        continue;
                    }
                    let variable = self.touched(name, here);
                    *variable = Variable { assigned: true, at: Some(here), ..Variable::new(Value::Unset, false) };
                }
                _ => {
                    self.state.status = Tri::No;
                    if !self.is_bash() || name.contains(&b'[') || name.starts_with(b"-") {
                        let cause = self.cause(at, LOST);
                        self.state.lose(cause);
                        return Flow::Next;
                    }
                }
            }
        }
        Flow::Next
    }
}
