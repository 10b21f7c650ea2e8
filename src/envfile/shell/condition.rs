//! `[ … ]`, `test` and `[[ … ]]`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::ast::{Condition, Word};
use super::expand::Argument;
use super::files::{Look, Permission};
use super::machine::Shell;
use super::state::{Cause, Tri, Value};
use crate::host::FileKind;

/// A condition with more operands is not followed.
const MOST_OPERANDS: usize = 100;

impl Shell<'_> {
    /// `test` with its arguments.
    pub(super) fn test(&mut self, arguments: &[Argument], at: usize) -> Tri {
        let mut values = Vec::new();
        for argument in arguments {
            match argument {
                Argument::One(value) => values.push(value.clone()),
                Argument::Any(cause) => return Tri::Maybe(*cause),
            }
        }
        self.expression(&values, at)
    }

    fn expression(&mut self, values: &[Value], at: usize) -> Tri {
        let odd = Tri::Maybe(self.cause(at, "a condition that is not understood"));
        let operators: Vec<Option<&[u8]>> = values
            .iter()
            .map(|value| match value {
                Value::Known(text) => Some(text.as_slice()),
                _ => None,
            })
            .collect();
        match (values, operators.as_slice()) {
            ([], _) => Tri::No,
            ([value], _) => not_empty(value),
            ([_, value], [Some(b"!"), _]) => not_empty(value).not(),
            ([_, value], [Some(operator), _]) => self.unary(operator, value, at),
            // Whether it is a comparison its middle tells.
            ([left, _, right], [_, Some(operator), _]) if is_binary(operator) => self.binary(left, operator, right, at),
            ([left, _, right], [_, Some(b"-a"), _]) => not_empty(left).and(|| not_empty(right)),
            ([left, _, right], [_, Some(b"-o"), _]) => not_empty(left).not().and(|| not_empty(right).not()).not(),
            ([_, rest @ ..], [Some(b"!"), ..]) if values.len() <= 4 => self.expression(rest, at).not(),
            ([_, value, _], [Some(b"("), _, Some(b")")]) => not_empty(value),
            _ if (5..=MOST_OPERANDS).contains(&values.len()) => {
                // `-o` binds weaker than `-a`; the parts are taken to have no such words as operands.
                for operator in [b"-o", b"-a"] {
                    let split = operators.iter().position(|word| *word == Some(operator));
                    if let Some(split) = split
                        && split > 0
                        && split + 1 < values.len()
                        && !operators.contains(&Some(b"("))
                    {
                        let left = self.expression(&values[..split], at);
                        let right = self.expression(&values[split + 1..], at);
                        return if operator == b"-o" {
                            left.not().and(|| right.not()).not()
                        } else {
                            left.and(|| right)
                        };
                    }
                }
                odd
            }
            _ => odd,
        }
    }

    /// `[[ … ]]`
    pub(super) fn condition(&mut self, condition: &Condition) -> Tri {
        match condition {
            Condition::Or(left, right) => match self.condition(left) {
                Tri::Yes => Tri::Yes,
                left => {
                    let right = self.condition(right);
                    left.not().and(|| right.not()).not()
                }
            },
            Condition::And(left, right) => match self.condition(left) {
                Tri::No => Tri::No,
                left => {
                    let right = self.condition(right);
                    left.and(|| right)
                }
            },
            Condition::Not(inner) => self.condition(inner).not(),
            Condition::NotEmpty(word) => not_empty(&self.scalar(word)),
            Condition::Unary(operator, word) => {
                let value = self.scalar(word);
                self.unary(operator, &value, word.start)
            }
            Condition::Binary(left, operator, right) => {
                let value = self.scalar(left);
                match operator.as_slice() {
                    b"=" | b"==" => self.compared(&value, right),
                    b"!=" => self.compared(&value, right).not(),
                    b"=~" => Tri::Maybe(self.cause(left.start, "an expression that is not followed")),
                    _ => {
                        let right = self.scalar(right);
                        match (number(&value), number(&right)) {
                            (Some(_), Some(_)) => self.binary(&value, operator, &right, left.start),
                            // Names count as their values here.
                            _ => Tri::Maybe(self.cause(left.start, "a comparison that is not followed")),
                        }
                    }
                }
            }
        }
    }

    fn compared(&mut self, value: &Value, pattern: &Word) -> Tri {
        self.matches(value, pattern)
    }

    fn unary(&mut self, operator: &[u8], value: &Value, at: usize) -> Tri {
        match operator {
            b"-n" => return not_empty(value),
            b"-z" => return not_empty(value).not(),
            _ => {}
        }
        let text = match value {
            Value::Unset => &Vec::new(),
            Value::Known(text) => text,
            Value::Some(cause) | Value::Unknown(cause) => return Tri::Maybe(*cause),
        };
        let path = Path::new(OsStr::from_bytes(text));
        let absolute = text.starts_with(b"/");
        let odd = |shell: &Self, why| Tri::Maybe(shell.cause(at, why));
        let permission = match operator {
            b"-r" => Some(Permission::Read),
            b"-w" => Some(Permission::Write),
            b"-x" => Some(Permission::Execute),
            _ => None,
        };
        match operator {
            b"-v" if self.is_bash() => match self.variable(text).value {
                Value::Unset => Tri::No,
                Value::Unknown(cause) => Tri::Maybe(cause),
                Value::Known(_) | Value::Some(_) => Tri::Yes,
            },
            b"-e" | b"-f" | b"-d" | b"-s" | b"-h" | b"-L" | b"-a" | b"-r" | b"-w" | b"-x" if text.is_empty() => Tri::No,
            b"-e" | b"-f" | b"-d" | b"-s" | b"-h" | b"-L" | b"-a" | b"-r" | b"-w" | b"-x" if !absolute => {
                odd(self, "a file is looked for in the folder that the shell is in")
            }
            b"-r" | b"-w" | b"-x" => {
                let wanted = permission.unwrap_or(Permission::Read);
                self.eyes.permits(path, wanted).map_or_else(|why| odd(self, why), Tri::of)
            }
            b"-h" | b"-L" => match self.eyes.lstat(path) {
                Ok(stat) => Tri::of(stat.is_some_and(|stat| stat.kind == FileKind::Symlink)),
                Err(_) => odd(self, super::files::UNREADABLE),
            },
            b"-e" | b"-f" | b"-d" | b"-a" => match self.eyes.look(path) {
                Look::Absent => Tri::No,
                Look::Unknown(why) => odd(self, why),
                Look::Found(_, stat) => Tri::of(match operator {
                    b"-f" => stat.kind == FileKind::File,
                    b"-d" => stat.kind == FileKind::Dir,
                    _ => true,
                }),
            },
            b"-s" => match self.eyes.look(path) {
                Look::Absent => Tri::No,
                Look::Found(resolved, stat) if stat.kind == FileKind::File => match self.eyes.snapshot(&resolved) {
                    Ok(Some(file)) => Tri::of(!file.bytes.is_empty()),
                    _ => odd(self, super::files::UNREADABLE),
                },
                _ => odd(self, "a condition that is not understood"),
            },
            _ => odd(self, "a condition that is not understood"),
        }
    }

    fn binary(&mut self, left: &Value, operator: &[u8], right: &Value, at: usize) -> Tri {
        match operator {
            // An error in dash, and so false.
            b"==" if !self.is_bash() => return Tri::No,
            b"=" | b"==" => return equal(left, right),
            b"!=" => return equal(left, right).not(),
            _ => {}
        }
        for value in [left, right] {
            if let Some(cause) = value.cause() {
                return Tri::Maybe(cause);
            }
        }
        let odd = Tri::Maybe(self.cause(at, "a condition that is not understood"));
        if !matches!(operator, b"-eq" | b"-ne" | b"-lt" | b"-le" | b"-gt" | b"-ge") {
            return odd;
        }
        match (number(left), number(right)) {
            (Some(left), Some(right)) => Tri::of(match operator {
                b"-eq" => left == right,
                b"-ne" => left != right,
                b"-lt" => left < right,
                b"-le" => left <= right,
                b"-gt" => left > right,
                _ => left >= right,
            }),
            // An error, and so false; of numbers that are too large nobody knows.
            _ if [left, right].iter().all(|value| is_short(value)) => Tri::No,
            _ => odd,
        }
    }
}

fn is_binary(operator: &[u8]) -> bool {
    matches!(
        operator,
        b"=" | b"=="
            | b"!="
            | b"<"
            | b">"
            | b"-eq"
            | b"-ne"
            | b"-lt"
            | b"-le"
            | b"-gt"
            | b"-ge"
            | b"-nt"
            | b"-ot"
            | b"-ef"
    )
}

fn not_empty(value: &Value) -> Tri {
    match value {
        Value::Unset => Tri::No,
        Value::Known(text) => Tri::of(!text.is_empty()),
        Value::Some(_) => Tri::Yes,
        Value::Unknown(cause) => Tri::Maybe(*cause),
    }
}

fn equal(left: &Value, right: &Value) -> Tri {
    let maybe = |cause: &Cause| Tri::Maybe(*cause);
    match (left, right) {
        (Value::Known(left), Value::Known(right)) => Tri::of(left == right),
        (Value::Known(text), Value::Some(_)) | (Value::Some(_), Value::Known(text)) if text.is_empty() => Tri::No,
        (Value::Some(cause) | Value::Unknown(cause), _) | (_, Value::Some(cause) | Value::Unknown(cause)) => {
            maybe(cause)
        }
        (Value::Unset, Value::Unset) => Tri::Yes,
        (Value::Unset, Value::Known(text)) | (Value::Known(text), Value::Unset) => Tri::of(text.is_empty()),
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Known(text) if is_short(value) => {
            let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t', '\n']);
            text.strip_prefix('+').unwrap_or(text).parse().ok()
        }
        _ => None,
    }
}

fn is_short(value: &Value) -> bool {
    matches!(value, Value::Known(text) if text.len() < 18)
}
