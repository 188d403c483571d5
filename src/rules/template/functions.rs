//! The functions of templates: which types they take, and what they answer.

use super::run::RunError;
use super::{Type, Value};
use crate::rules::quote::quoted;
use std::cmp::Ordering;

/// A function, called as it is in Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    And,
    Or,
    Not,
    Len,
    Index,
    Slice,
    Print,
    Printf,
    Println,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Function {
    pub(super) const ALL: [Self; 15] = [
        Self::And,
        Self::Or,
        Self::Not,
        Self::Len,
        Self::Index,
        Self::Slice,
        Self::Print,
        Self::Printf,
        Self::Println,
        Self::Eq,
        Self::Ne,
        Self::Lt,
        Self::Le,
        Self::Gt,
        Self::Ge,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::Len => "len",
            Self::Index => "index",
            Self::Slice => "slice",
            Self::Print => "print",
            Self::Printf => "printf",
            Self::Println => "println",
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// What it answers to arguments of these types.
    ///
    /// # Errors
    /// What it wants instead.
    pub(super) fn answers(self, arguments: &[Type]) -> Result<Type, &'static str> {
        use Type::{Bool, Int, List, Map, Text};
        match (self, arguments) {
            (Self::And | Self::Or, [first, rest @ ..]) if rest.iter().all(|it| it == first) => {
                Ok(*first)
            }
            (Self::And | Self::Or, _) => Err("arguments of one type"),
            (Self::Not, [_]) => Ok(Bool),
            (Self::Not, _) => Err("one argument"),
            (Self::Len, [Text | List | Map]) => Ok(Int),
            (Self::Len, _) => Err("a text, a list or a map"),
            (Self::Index, [Map, Text] | [List, Int]) => Ok(Text),
            (Self::Index, _) => Err("a map and a text, or a list and a whole number"),
            (Self::Slice, [of @ (Text | List), Int] | [of @ (Text | List), Int, Int]) => Ok(*of),
            (Self::Slice, _) => Err("a text or a list, and one or two whole numbers"),
            (Self::Print | Self::Println | Self::Printf, _) => Ok(Text),
            (Self::Eq, [Text, rest @ ..]) if is_all(rest, Text) => Ok(Bool),
            (Self::Eq, [Int, rest @ ..]) if is_all(rest, Int) => Ok(Bool),
            (Self::Eq, [Bool, rest @ ..]) if is_all(rest, Bool) => Ok(Bool),
            (Self::Eq, _) => Err("two or more texts, or whole numbers"),
            (Self::Ne, [Text, Text] | [Int, Int] | [Bool, Bool]) => Ok(Bool),
            (Self::Lt | Self::Le | Self::Gt | Self::Ge, [Text, Text] | [Int, Int]) => Ok(Bool),
            (Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge, _) => {
                Err("two texts, or two whole numbers")
            }
        }
    }

    /// The value, for arguments of types that it takes. `and` and `or` are the caller's, who need
    /// not work all arguments out.
    pub(super) fn call(self, arguments: &[Value]) -> Result<Value, RunError> {
        match (self, arguments) {
            (Self::And | Self::Or, [.., last]) => Ok(last.clone()),
            (Self::Not, [value]) => Ok(Value::Bool(!is_true(value))),
            (Self::Len, [value]) => length(value),
            (Self::Index, [Value::Map(map), Value::Text(key)]) => {
                Ok(Value::Text(map.get(key).cloned().unwrap_or_default()))
            }
            (Self::Index, [Value::List(list), Value::Int(index)]) => {
                let found = usize::try_from(*index).ok().and_then(|it| list.get(it));
                found.cloned().map(Value::Text).ok_or(RunError::OutOfRange)
            }
            (Self::Slice, [value, ends @ ..]) => sliced(value, ends),
            (Self::Print, values) => Ok(Value::Text(printed(values)?)),
            (Self::Println, values) => {
                let shown: Vec<String> = values.iter().map(shown).collect::<Result<_, _>>()?;
                Ok(Value::Text(format!("{}\n", shown.join(" "))))
            }
            (Self::Printf, [Value::Text(format), values @ ..]) => formatted(format, values),
            (Self::Eq, [first, rest @ ..]) => Ok(Value::Bool(rest.contains(first))),
            (Self::Ne, [a, b]) => Ok(Value::Bool(a != b)),
            (Self::Lt, [a, b]) => Ok(Value::Bool(order(a, b)?.is_lt())),
            (Self::Le, [a, b]) => Ok(Value::Bool(order(a, b)?.is_le())),
            (Self::Gt, [a, b]) => Ok(Value::Bool(order(a, b)?.is_gt())),
            (Self::Ge, [a, b]) => Ok(Value::Bool(order(a, b)?.is_ge())),
            // The types were checked; what is left is an entry that is not there.
            _ => Err(RunError::NoValue),
        }
    }
}

fn is_all(types: &[Type], wanted: Type) -> bool {
    !types.is_empty() && types.iter().all(|it| *it == wanted)
}

/// What Go takes for true: anything but nothing, zero and empty.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Text(text) => !text.is_empty(),
        Value::Int(number) => *number != 0,
        Value::Bool(value) => *value,
        Value::List(list) => !list.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Nothing => false,
        Value::Fields => true,
    }
}

/// A value as Go prints it.
pub(super) fn shown(value: &Value) -> Result<String, RunError> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Int(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::List(list) => Ok(format!("[{}]", list.join(" "))),
        Value::Map(map) => {
            let entries: Vec<String> = map.iter().map(|(key, it)| format!("{key}:{it}")).collect();
            Ok(format!("map[{}]", entries.join(" ")))
        }
        Value::Nothing | Value::Fields => Err(RunError::NoValue),
    }
}

/// A blank between two of which neither is a text.
fn printed(values: &[Value]) -> Result<String, RunError> {
    let mut text = String::new();
    let mut before: Option<&Value> = None;
    for value in values {
        let is_text = |it: &Value| matches!(it, Value::Text(_));
        if before.is_some_and(|it| !is_text(it) && !is_text(value)) {
            text.push(' ');
        }
        text.push_str(&shown(value)?);
        before = Some(value);
    }
    Ok(text)
}

/// The types that the verbs of a format want, in order; `None` for any.
///
/// # Errors
/// The verb that is not known here.
pub(super) fn verbs(format: &str) -> Result<Vec<Option<Type>>, String> {
    let mut wanted = Vec::new();
    let mut rest = format.chars();
    while rest.by_ref().any(|it| it == '%') {
        match rest.next() {
            Some('%') => {}
            Some('v') => wanted.push(None),
            Some('s' | 'q') => wanted.push(Some(Type::Text)),
            Some('d') => wanted.push(Some(Type::Int)),
            other => return Err(format!("%{}", other.map(String::from).unwrap_or_default())),
        }
    }
    Ok(wanted)
}

fn formatted(format: &str, values: &[Value]) -> Result<Value, RunError> {
    let mut text = String::new();
    let mut values = values.iter();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        match rest.next() {
            Some('%') | None => text.push('%'),
            Some(verb) => {
                let value = shown(values.next().unwrap_or(&Value::Nothing))?;
                text.push_str(&if verb == 'q' { quoted(&value) } else { value });
            }
        }
    }
    Ok(Value::Text(text))
}

fn length(value: &Value) -> Result<Value, RunError> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Err(RunError::NoValue),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn sliced(value: &Value, ends: &[Value]) -> Result<Value, RunError> {
    let end = |value: Option<&Value>, default: usize| match value {
        Some(Value::Int(number)) => usize::try_from(*number).map_err(|_| RunError::OutOfRange),
        _ => Ok(default),
    };
    let Value::Int(length) = length(value)? else { return Err(RunError::NoValue) };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let range = end(ends.first(), 0)?..end(ends.get(1), length)?;
    let part = match value {
        Value::Text(text) => text.get(range).map(|it| Value::Text(it.to_owned())),
        Value::List(list) => list.get(range).map(|it| Value::List(it.to_vec())),
        _ => return Err(RunError::NoValue),
    };
    part.ok_or(RunError::OutOfRange)
}

fn order(a: &Value, b: &Value) -> Result<Ordering, RunError> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        _ => Err(RunError::NoValue),
    }
}
