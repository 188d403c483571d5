//! From tokens to nodes.

use super::functions::Function;
use super::scan::{self, Kind, Piece, Token};
use super::{Bad, Base, Command, Node, Operand, Pipeline};
use crate::document::fault::nearest;
use crate::domain::limits;
use std::vec::IntoIter;

pub(super) fn nodes(text: &str) -> Result<Vec<Node>, Bad> {
    let pieces = scan::pieces(text)?;
    let mut parser = Parser { pieces: pieces.into_iter(), depth: 0 };
    let (nodes, stop) = parser.block(None)?;
    match stop {
        None => Ok(nodes),
        Some(Stop { at, word, .. }) => {
            let problem = format!("`{word}` without an `if`, `with` or `range` before it");
            Err(Bad::new(at, problem))
        }
    }
}

/// What ended a block: `end` or `else`, with what stands behind the word.
struct Stop {
    at: usize,
    word: String,
    rest: Vec<Token>,
}

struct Parser {
    pieces: IntoIter<Piece>,
    depth: usize,
}

impl Parser {
    /// Nodes up to `end` or `else`, which a block that was `opened` somewhere must have.
    fn block(&mut self, opened: Option<usize>) -> Result<(Vec<Node>, Option<Stop>), Bad> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            match piece {
                Piece::Text(text) if text.is_empty() => {}
                Piece::Text(text) => nodes.push(Node::Text(text)),
                Piece::Action { at, tokens } => {
                    let tokens = trimmed(tokens);
                    let word = match tokens.first().map(|it| &it.kind) {
                        Some(Kind::Word(word)) => word.clone(),
                        _ => String::new(),
                    };
                    match word.as_str() {
                        "end" | "else" => {
                            let rest = trimmed(tokens.into_iter().skip(1).collect());
                            return Ok((nodes, Some(Stop { at, word, rest })));
                        }
                        "if" | "with" | "range" => {
                            let rest = tokens.into_iter().skip(1).collect();
                            nodes.push(self.control(at, &word, rest)?);
                        }
                        "define" | "template" | "block" | "break" | "continue" => {
                            let bad = Bad::new(at, format!("`{word}` is not known here"));
                            return Err(bad.hint("write the query out, or use `if` and `range`"));
                        }
                        _ => nodes.push(Node::Print(self.pipeline(at, tokens, false)?)),
                    }
                }
            }
        }
        match opened {
            Some(at) => Err(Bad::new(at, "this has no end").hint("close it with `<<end>>`")),
            None => Ok((nodes, None)),
        }
    }

    /// `if`, `with` or `range` with everything up to its end.
    fn control(&mut self, at: usize, word: &str, tokens: Vec<Token>) -> Result<Node, Bad> {
        self.deeper(at)?;
        let head = self.pipeline(at, trimmed(tokens), word == "range")?;
        let (then, stop) = self.block(Some(at))?;
        let otherwise = match stop {
            Some(stop) if stop.word == "else" => self.otherwise(at, word, stop)?,
            Some(stop) => {
                nothing_behind(&stop)?;
                Vec::new()
            }
            None => Vec::new(),
        };
        self.depth -= 1;
        Ok(match word {
            "if" => Node::If { condition: head, then, otherwise },
            "with" => Node::With { value: head, then, otherwise },
            _ => Node::Range { over: head, each: then, otherwise },
        })
    }

    fn otherwise(&mut self, at: usize, word: &str, stop: Stop) -> Result<Vec<Node>, Bad> {
        if let Some(Token { kind: Kind::Word(again), .. }) = stop.rest.first()
            && again == word
            && word != "range"
        {
            // `else if` has its end in common with the `if`.
            let rest = stop.rest.into_iter().skip(1).collect();
            return Ok(vec![self.control(stop.at, word, rest)?]);
        }
        nothing_behind(&stop)?;
        let (nodes, stop) = self.block(Some(at))?;
        match stop {
            Some(stop) if stop.word == "else" => Err(Bad::new(stop.at, "a second `else`")),
            Some(stop) => nothing_behind(&stop).map(|()| nodes),
            None => Ok(nodes),
        }
    }

    fn deeper(&mut self, at: usize) -> Result<(), Bad> {
        self.depth += 1;
        if self.depth > limits::DOCUMENT_DEPTH_MAX {
            return Err(Bad::new(at, "nested too deeply"));
        }
        Ok(())
    }

    fn pipeline(&mut self, at: usize, tokens: Vec<Token>, is_range: bool) -> Result<Pipeline, Bad> {
        let mut cursor = Cursor { tokens: tokens.into_iter().peekable(), depth: self.depth, at };
        let pipeline = cursor.pipeline(is_range)?;
        match cursor.tokens.next() {
            None => Ok(pipeline),
            Some(token) => Err(Bad::new(token.at, "unexpected `)`")),
        }
    }
}

fn nothing_behind(stop: &Stop) -> Result<(), Bad> {
    match stop.rest.first() {
        None => Ok(()),
        Some(token) => {
            Err(Bad::new(token.at, format!("nothing may stand behind this `{}`", stop.word)))
        }
    }
}

fn trimmed(mut tokens: Vec<Token>) -> Vec<Token> {
    let is_space = |it: &Token| it.kind == Kind::Space;
    while tokens.last().is_some_and(is_space) {
        tokens.pop();
    }
    tokens.into_iter().skip_while(is_space).collect()
}

struct Cursor {
    tokens: std::iter::Peekable<IntoIter<Token>>,
    depth: usize,
    /// Where the last token was.
    at: usize,
}

impl Cursor {
    fn next(&mut self) -> Option<Kind> {
        let token = self.tokens.next()?;
        self.at = token.at;
        Some(token.kind)
    }

    fn peek(&mut self) -> Option<&Kind> {
        self.tokens.peek().map(|it| &it.kind)
    }

    fn spaces(&mut self) -> bool {
        let mut any = false;
        while self.peek() == Some(&Kind::Space) {
            self.next();
            any = true;
        }
        any
    }

    /// Up to the end of the tokens or a parenthesis that closes.
    fn pipeline(&mut self, is_range: bool) -> Result<Pipeline, Bad> {
        let at = self.tokens.peek().map_or(self.at, |it| it.at);
        let (variables, is_assignment) = self.declarations(is_range)?;
        let mut commands = Vec::new();
        loop {
            self.spaces();
            commands.push(self.command()?);
            if self.peek() != Some(&Kind::Pipe) {
                break;
            }
            self.next();
        }
        let late = commands.iter().skip(1).find(|it| it.function.is_none());
        if let Some(command) = late {
            let bad = Bad::new(command.at, "what follows `|` is no function");
            return Err(bad.hint("a pipe hands a value to a function: `.Series | printf \"%s\"`"));
        }
        Ok(Pipeline { at, variables, is_assignment, commands })
    }

    /// `$x :=`, `$x =` and, for ranges, `$key, $value :=`.
    fn declarations(&mut self, is_range: bool) -> Result<(Vec<String>, bool), Bad> {
        let mut variables = Vec::new();
        for (before, token) in self.tokens.clone().enumerate() {
            match token.kind {
                Kind::Variable(name) => variables.push(name),
                Kind::Space | Kind::Comma => {}
                Kind::Declare | Kind::Assign => {
                    let is_assignment = token.kind == Kind::Assign;
                    let most = if is_range { 2 } else { 1 };
                    if variables.is_empty() || variables.len() > most {
                        return Err(Bad::new(token.at, "wrong number of variables before this"));
                    }
                    self.tokens.by_ref().take(before + 1).for_each(drop);
                    return Ok((variables, is_assignment));
                }
                _ => break,
            }
        }
        Ok((Vec::new(), false))
    }

    fn command(&mut self) -> Result<Command, Bad> {
        let at = self.tokens.peek().map_or(self.at, |it| it.at);
        let function = match self.peek().cloned() {
            Some(Kind::Word(word)) if !matches!(word.as_str(), "true" | "false" | "nil") => {
                self.next();
                Some(function(at, &word)?)
            }
            _ => None,
        };
        let mut operands = Vec::new();
        let mut may_follow = function.is_none();
        loop {
            may_follow |= self.spaces();
            match self.peek() {
                None | Some(Kind::Pipe | Kind::Close) => break,
                Some(_) if may_follow => operands.push(self.operand()?),
                Some(_) => {
                    let at = self.tokens.peek().map_or(self.at, |it| it.at);
                    return Err(Bad::new(at, "a blank is missing before this"));
                }
            }
            may_follow = false;
        }
        match (function, operands.as_slice()) {
            (None, []) => Err(Bad::new(at, "a value is missing here")),
            (None, [_, second, ..]) => {
                let bad =
                    Bad::new(second.at, "one value behind another, and no function before them");
                Err(bad.hint("write a function first, such as `index .LabelValuesByName \"x\"`"))
            }
            _ => Ok(Command { at, function, operands }),
        }
    }

    fn operand(&mut self) -> Result<Operand, Bad> {
        let token = self.next();
        let at = self.at;
        let mut fields = Vec::new();
        let base = match token {
            Some(Kind::Dot) => Base::Dot,
            Some(Kind::Field(name)) => {
                fields.push(name);
                Base::Dot
            }
            Some(Kind::Variable(name)) => Base::Variable(name),
            Some(Kind::Text(text)) => Base::Text(text),
            Some(Kind::Int(number)) => Base::Int(number),
            Some(Kind::Word(word)) if word == "true" || word == "false" => {
                Base::Bool(word == "true")
            }
            Some(Kind::Word(word)) => {
                let bad = Bad::new(at, format!("`{word}` cannot stand here"));
                return Err(bad
                    .hint(format!("put a function with its arguments in brackets: `({word} …)`")));
            }
            Some(Kind::Open) => Base::Pipeline(Box::new(self.bracketed(at)?)),
            _ => return Err(Bad::new(at, "a value is missing here")),
        };
        while let Some(Kind::Field(_)) = self.peek() {
            if let Some(Kind::Field(name)) = self.next() {
                fields.push(name);
            }
        }
        Ok(Operand { at, base, fields })
    }

    fn bracketed(&mut self, at: usize) -> Result<Pipeline, Bad> {
        self.depth += 1;
        if self.depth > limits::DOCUMENT_DEPTH_MAX {
            return Err(Bad::new(at, "nested too deeply"));
        }
        let pipeline = self.pipeline(false)?;
        self.depth -= 1;
        if self.next() == Some(Kind::Close) {
            Ok(pipeline)
        } else {
            Err(Bad::new(at, "a `(` is not closed"))
        }
    }
}

fn function(at: usize, word: &str) -> Result<Function, Bad> {
    Function::named(word).ok_or_else(|| {
        let bad = Bad::new(at, format!("the function `{word}` is not known here"));
        match nearest(word, Function::ALL.map(Function::name)) {
            Some(name) => bad.hint(format!("did you mean `{name}`?")),
            None => {
                let known = Function::ALL.map(Function::name).join(", ");
                bad.hint(format!("known are {known}"))
            }
        }
    })
}
