//! Functions of a start-up file that it calls itself.

use std::rc::Rc;

use super::evaluate::{Startup, Success};
use super::tree::{Command, Word};
use super::variable::{Function, Value};

/// Commands of functions that are looked at in one start-up. They do not count among those of
/// the files: whatever a framework's functions do, the rest of the user's file is read.
const MOST_CALLED: usize = 10_000;
const ARGUMENTS: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

impl Startup<'_> {
    /// Keeps a function for its call.
    pub(super) fn define(&mut self, name: &str, body: &Rc<Command>, certain: bool) {
        let function = Function {
            body: Rc::clone(body),
            file: Rc::clone(&self.file),
            certain,
        };
        self.functions.insert(name.to_owned(), function);
    }

    /// What a function does, if it is one. Functions that it calls are not followed: a version
    /// manager's lead everywhere.
    pub(super) fn call(
        &mut self,
        name: &str,
        args: &[Word],
        line: usize,
        certain: bool,
    ) -> Success {
        if self.in_call || self.called > MOST_CALLED || !self.may_go_deeper() {
            return None;
        }
        let function = self.functions.get(name)?.clone();
        let values: Vec<Value> = args.iter().map(|arg| self.expand(arg)).collect();
        for (i, name) in ARGUMENTS.into_iter().enumerate() {
            let value = values.get(i).cloned();
            self.assign(
                name,
                value.unwrap_or(Value::Known(String::new())),
                line,
                true,
            );
        }
        let outer = std::mem::replace(&mut self.file, function.file);
        let steps = self.steps;
        self.in_call = true;
        self.command(&function.body, line, certain && function.certain);
        self.in_call = false;
        self.called += self.steps - steps;
        self.steps = steps;
        self.file = outer;
        for name in ARGUMENTS {
            self.variables.remove(name);
        }
        None
    }
}
