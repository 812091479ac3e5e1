//! Finds what would make a replay diverge: time, chance and concurrency that the journal does not see.
//!
//! Only what is replayed is read: the bodies of `run`, and of nodes and compensations that take `cx`. It goes by paths, so an alias or a
//! helper method hides a call; the overlap rule and the digests of the runtime are the net below.

use crate::errors::Errors;
use crate::model::Workflow;
use crate::parse::Method;
use proc_macro2::TokenTree;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Path, Token};

const SLEEP: &str = "a nap is not remembered: write `cx.sleep(…).await?`";
const DEADLINE: &str =
    "a deadline that is not journalled passes at another place in a replay: use `timeout` of `#[step]` or of `#[workflow]`";
const INTERVAL: &str = "ticks are not remembered: write a loop around `cx.sleep(…).await?`";
const CLOCK: &str = "the clock shows another time in a replay: write `cx.now()`";
const RANDOM: &str = "chance falls differently in a replay: write `cx.random()`";
const UUID: &str = "a replay would make another id: write `cx.uuid()`";
const SPAWN: &str = "a task that `run` starts is outside the journal: put the work into a `#[step]`";
const JOIN: &str =
    "branches that the journal does not know of come in an order that a replay may not repeat: write `durable::join!`";
const TRY_JOIN: &str =
    "branches that the journal does not know of come in an order that a replay may not repeat: write `durable::try_join!`";
const MANY: &str = "futures that the journal does not know of come in an order that a replay may not repeat: write `cx.map(items).each(…)`, or `durable::join!` for a few";
const RACE: &str = "a branch that the journal does not know of may win in a replay: write `durable::race!`";

/// Full paths and what to write instead. A path in `run` matches when it is the end of one of these, at least two words long.
const CALLS: &[(&[&str], &str)] = &[
    (&["tokio", "time", "sleep"], SLEEP),
    (&["tokio", "time", "sleep_until"], SLEEP),
    (&["std", "thread", "sleep"], SLEEP),
    (&["tokio", "time", "timeout"], DEADLINE),
    (&["tokio", "time", "timeout_at"], DEADLINE),
    (&["tokio", "time", "interval"], INTERVAL),
    (&["tokio", "time", "interval_at"], INTERVAL),
    (&["std", "time", "Instant", "now"], CLOCK),
    (&["tokio", "time", "Instant", "now"], CLOCK),
    (&["std", "time", "SystemTime", "now"], CLOCK),
    (&["chrono", "Utc", "now"], CLOCK),
    (&["chrono", "offset", "Utc", "now"], CLOCK),
    (&["chrono", "Local", "now"], CLOCK),
    (&["chrono", "offset", "Local", "now"], CLOCK),
    (&["rand", "random"], RANDOM),
    (&["rand", "thread_rng"], RANDOM),
    (&["rand", "rng"], RANDOM),
    (&["uuid", "Uuid", "new_v4"], UUID),
    (&["uuid", "Uuid", "now_v7"], UUID),
    (&["tokio", "spawn"], SPAWN),
    (&["tokio", "task", "spawn"], SPAWN),
    (&["tokio", "task", "spawn_blocking"], SPAWN),
    (&["tokio", "task", "spawn_local"], SPAWN),
    (&["std", "thread", "spawn"], SPAWN),
    (&["futures", "future", "join_all"], MANY),
    (&["futures", "future", "try_join_all"], MANY),
    (&["futures", "future", "join"], JOIN),
    (&["futures", "future", "try_join"], TRY_JOIN),
    (&["futures", "future", "select"], RACE),
    (&["futures", "future", "select_all"], MANY),
    (&["futures", "future", "select_ok"], MANY),
    (&["futures_util", "future", "join_all"], MANY),
    (&["futures_util", "future", "try_join_all"], MANY),
    (&["futures_util", "future", "join"], JOIN),
    (&["futures_util", "future", "try_join"], TRY_JOIN),
    (&["futures_util", "future", "select"], RACE),
    (&["futures_util", "future", "select_all"], MANY),
    (&["futures_util", "future", "select_ok"], MANY),
];

/// Functions that are usually imported: nothing else has these names.
const WORDS: &[(&str, &str)] = &[("join_all", MANY), ("try_join_all", MANY)];

/// Types that are a mistake in replayed code, by their names, and the functions that make them.
const TYPES: &[&str] = &["FuturesUnordered", "FuturesOrdered", "JoinSet"];

/// Methods of streams that run futures beside each other.
const METHODS: &[&str] =
    &["buffer_unordered", "buffered", "for_each_concurrent", "try_for_each_concurrent", "try_buffer_unordered", "try_buffered"];

const MACROS: &[(&[&str], &str)] = &[
    (&["tokio", "join"], JOIN),
    (&["tokio", "try_join"], TRY_JOIN),
    (&["tokio", "select"], RACE),
    (&["futures", "join"], JOIN),
    (&["futures", "try_join"], TRY_JOIN),
    (&["futures", "select"], RACE),
    (&["futures", "select_biased"], RACE),
    (&["futures_util", "join"], JOIN),
    (&["futures_util", "try_join"], TRY_JOIN),
    (&["futures_util", "select"], RACE),
    (&["futures_util", "select_biased"], RACE),
];

/// Reports every call in replayed code that a replay would not repeat.
pub(crate) fn replay(workflow: &Workflow, errors: &mut Errors) {
    for run in workflow.runs() {
        body(run, "`run`", errors);
    }
    for flow in workflow.steps().filter(|step| step.node.flow) {
        body(&flow.method, "a node with `cx`", errors);
    }
    let compensations = workflow.compensations().map(|compensation| &compensation.method);
    for compensation in compensations.filter(|method| method.context().is_some()) {
        body(compensation, "a compensation with `cx`", errors);
    }
}

fn body(method: &Method, who: &'static str, errors: &mut Errors) {
    let TokenTree::Group(body) = &method.body else { return };
    // A body with a syntax error is the compiler's to report.
    if let Ok(body) = Block::parse_within.parse2(body.stream()) {
        let mut visitor = Replay { who, errors };
        body.iter().for_each(|statement| visitor.visit_stmt(statement));
    }
}

struct Replay<'errors> {
    /// Whose body is read.
    who: &'static str,
    errors: &'errors mut Errors,
}

impl Replay<'_> {
    fn refuse_if_listed(&mut self, path: &Path, list: &[(&[&str], &str)]) {
        if let Some((_, cure)) = list.iter().find(|(full, _)| is_end_of(path, full)) {
            self.refuse(path, cure);
        }
    }

    fn refuse(&mut self, place: impl quote::ToTokens, cure: &str) {
        self.errors.at(place, format!("{} is replayed after a crash, and {cure}", self.who));
    }
}

impl<'ast> Visit<'ast> for Replay<'_> {
    fn visit_expr_path(&mut self, expression: &'ast syn::ExprPath) {
        self.refuse_if_listed(&expression.path, CALLS);
        visit::visit_expr_path(self, expression);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let words = path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>();
        let cure = match words.as_slice() {
            [word] if !TYPES.contains(&word.as_str()) => WORDS.iter().find(|(listed, _)| word == listed).map(|(_, cure)| *cure),
            words => words.iter().any(|word| TYPES.contains(&word.as_str())).then_some(MANY),
        };
        if let Some(cure) = cure {
            self.refuse(path, cure);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        // Without an argument it is not the method of streams.
        if METHODS.iter().any(|method| call.method == method) && !call.args.is_empty() {
            self.refuse(&call.method, MANY);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.refuse_if_listed(&call.path, MACROS);
        // Most macros take expressions (`format!`, `vec!`, `assert!`); those which do not are not looked into.
        if let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            for argument in &arguments {
                // The arguments live as long as this call, the visitor's tree longer: a visitor of their own sees them.
                Replay { who: self.who, errors: self.errors }.visit_expr(argument);
            }
        }
    }
}

fn is_end_of(path: &Path, full: &[&str]) -> bool {
    let written = path.segments.len();
    written >= 2
        && written <= full.len()
        && path.segments.iter().zip(&full[full.len() - written..]).all(|(segment, word)| segment.ident == word)
}
