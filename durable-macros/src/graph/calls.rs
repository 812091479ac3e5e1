//! What the calls in `run` are: steps, helpers, waits of `cx`, branches, and calls that cannot be seen through.

use super::flow::Name;
use super::text;
use super::walk::{Walk, is_self};
use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::Visit as _;
use syn::{Expr, ExprCall, ExprLit, ExprMethodCall, GenericArgument, Ident, Lit, Token};

/// Methods of `cx` that wait for nothing and start nothing.
const ASIDE: &[&str] = &["execution_id", "scheduled_for", "now", "uuid", "random", "get"];

/// Macros whose arguments are ordinary expressions.
const PLAIN_MACROS: &[&str] = &[
    "format",
    "print",
    "println",
    "eprint",
    "eprintln",
    "write",
    "writeln",
    "vec",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "panic",
    "unreachable",
    "todo",
    "unimplemented",
    "matches",
    "dbg",
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "span",
    "json",
    "bail",
    "ensure",
    "anyhow",
    "cfg",
    "concat",
    "env",
    "include_str",
    "line",
    "stringify",
];

/// Macros that leave the function, with an error or a panic.
const LEAVING: &[&str] = &["bail", "panic", "unreachable", "todo", "unimplemented"];

impl Walk<'_> {
    pub(super) fn method_call(&mut self, call: &ExprMethodCall, awaited: bool) {
        if is_self(&call.receiver) {
            let arguments: Vec<&Expr> = call.args.iter().collect();
            self.own_call(&call.method, &arguments, awaited);
        } else if self.is_context(&call.receiver) {
            self.context_call(call);
        } else if call.method == "each"
            && let Some(map) = self.root(&call.receiver).filter(|root| root.method == "map")
        {
            self.map(call, map);
        } else if self.root(&call.receiver).is_some() {
            // Options of a wait; a reminder is part of it.
            self.visit_expr(&call.receiver);
        } else {
            self.awaited = awaited;
            self.visit_expr(&call.receiver);
            self.awaited = false;
            let method = &call.method;
            self.given(call.args.iter(), || format!("….{method}"));
        }
    }

    pub(super) fn call(&mut self, call: &ExprCall, awaited: bool) {
        let mut arguments = call.args.iter();
        if let Some(method) = self.own_method(&call.func)
            && arguments.next().is_some_and(is_self)
        {
            let arguments: Vec<&Expr> = arguments.collect();
            self.own_call(&method, &arguments, awaited);
            return;
        }
        self.visit_expr(&call.func);
        self.given(call.args.iter(), || text::of(&call.func));
    }

    /// `charge` of `Self::charge`, and of the type's own name.
    fn own_method(&self, function: &Expr) -> Option<Ident> {
        let Expr::Path(path) = function else { return None };
        let mut words = path.path.segments.iter().map(|segment| &segment.ident);
        match (words.next(), words.next(), words.next()) {
            (Some(ty), Some(method), None) if ty == "Self" || Some(ty) == self.workflow.type_name() => Some(method.clone()),
            _ => None,
        }
    }

    /// A call of a method of the workflow.
    fn own_call(&mut self, method: &Ident, arguments: &[&Expr], awaited: bool) {
        for argument in arguments {
            self.visit_expr(argument);
        }
        let workflow = self.workflow;
        if let Some(step) = workflow.steps().find(|step| step.method.name() == method) {
            let name = step.name.value();
            let node = self.flow.add("step", &name, name.as_str());
            self.steps.extend(node.map(|node| (step, node)));
        } else if let Some(helper) = self.helper(method) {
            self.inline(helper);
        } else if awaited || arguments.iter().any(|argument| self.is_context(argument)) {
            self.opaque(&format!("self.{method}"));
        }
    }

    /// Arguments of a call that cannot be seen through. If it gets the workflow or its `Context`, it may journal.
    fn given<'call>(&mut self, arguments: impl Iterator<Item = &'call Expr>, name: impl Fn() -> String) {
        let mut away = false;
        for argument in arguments {
            away |= self.is_given_away(argument);
            self.visit_expr(argument);
        }
        if away {
            self.opaque(&name());
        }
    }

    /// The call of a method of `cx` that a chain of calls begins with: `cx.map(items)` of `cx.map(items).concurrency(8)`.
    fn root<'call>(&self, expression: &'call Expr) -> Option<&'call ExprMethodCall> {
        match expression {
            Expr::MethodCall(call) if self.is_context(&call.receiver) => Some(call),
            Expr::MethodCall(call) => self.root(&call.receiver),
            _ => None,
        }
    }

    fn context_call(&mut self, call: &ExprMethodCall) {
        for argument in &call.args {
            self.visit_expr(argument);
        }
        let method = call.method.to_string();
        let argument = call.args.first().map(text::of).unwrap_or_default().trim_start_matches('&').to_owned();
        let name = call.args.first().and_then(literal);
        let named = name.clone().unwrap_or_default();
        let label = name.unwrap_or_else(|| argument.clone());
        let mut add = |kind, label: &str, name: &str| {
            self.flow.add(kind, label, name);
        };
        match method.as_str() {
            "sleep" | "sleep_until" => add("sleep", &argument, ""),
            "wait_for_event" => add("event", &label, &named),
            "wait_for_any" => add("event", &text::cut(&format!("any of {}", listed(&argument))), "any of"),
            "wait_for_all" => add("all", &text::cut(&format!("all of {}", listed(&argument))), ""),
            "wait_for_topic" => add("topic", &label, &named),
            input if input.starts_with("wait_for_") => add("input", &label, &named),
            "close_events" => add("close", &label, &named),
            "set" => add("set", &label, &named),
            "tag" => add("tag", &label, &named),
            "version" => add("version", &label, &named),
            "child" | "start_child" => self.child(call),
            "continue_as_new" => {
                self.flow.add("continue_as_new", "continue as new", "");
                self.flow.lead_to(0);
            }
            // Without `each`, a map does nothing.
            "map" => {}
            method if ASIDE.contains(&method) => {}
            _ => self.opaque(&format!("cx.{method}")),
        }
    }

    fn child(&mut self, call: &ExprMethodCall) {
        let ty = call.turbofish.iter().flat_map(|turbofish| &turbofish.args).find_map(|argument| match argument {
            GenericArgument::Type(ty) if !matches!(ty, syn::Type::Infer(_)) => Some(ty),
            _ => None,
        });
        let is_known = self.bodies.last().is_some_and(|body| body.names_types_of_the_block);
        let label = ty.map_or_else(|| "child".to_owned(), text::of);
        let name = match ty.filter(|_| is_known) {
            Some(ty) => Name::OfWorkflow(Box::new(ty.clone())),
            None => Name::from(""),
        };
        self.flow.add("child", &label, name);
    }

    /// `cx.map(items).each(…)`: the closure is one branch, which every item goes through.
    fn map(&mut self, each: &ExprMethodCall, map: &ExprMethodCall) {
        map.args.iter().for_each(|items| self.visit_expr(items));
        let name = option(&each.receiver, "name").and_then(literal).unwrap_or_default();
        let branches: Vec<&Expr> = each.args.iter().collect();
        self.fork("map", &name, "all", &branches);
    }

    pub(super) fn macro_call(&mut self, call: &syn::Macro) {
        let Some(name) = call.path.segments.last().map(|segment| segment.ident.to_string()) else { return };
        let arguments = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        let (name, arguments) = match (name.as_str(), arguments) {
            (name, Ok(arguments)) => (name, arguments),
            (name, Err(_)) => {
                if !PLAIN_MACROS.contains(&name) && may_journal(call.tokens.clone()) {
                    self.opaque(&format!("{name}!"));
                }
                if LEAVING.contains(&name) {
                    self.leave();
                }
                return;
            }
        };
        let branches: Vec<&Expr> = arguments.iter().collect();
        match name {
            "join" => self.fork("join", "", "all", &branches),
            "try_join" => self.fork("try_join", "", "all or first error", &branches),
            "race" => self.fork("race", "", "first", &branches),
            name if PLAIN_MACROS.contains(&name) => {
                branches.iter().for_each(|argument| self.visit_expr(argument));
                if LEAVING.contains(&name) {
                    self.leave();
                }
            }
            name if may_journal(call.tokens.clone()) => self.opaque(&format!("{name}!")),
            _ => {}
        }
    }
}

/// Whether a macro that the walk does not know may reach the journal: it gets the workflow or a `cx`, or awaits something.
fn may_journal(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(word) => word == "self" || word == "cx" || word == "await",
        TokenTree::Group(group) => may_journal(group.stream()),
        _ => false,
    })
}

/// The argument of an option in a chain of calls.
fn option<'call>(chain: &'call Expr, name: &str) -> Option<&'call Expr> {
    match chain {
        Expr::MethodCall(call) if call.method == name => call.args.first(),
        Expr::MethodCall(call) => option(&call.receiver, name),
        _ => None,
    }
}

/// The text of a string literal.
fn literal(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        Expr::Reference(reference) => literal(&reference.expr),
        _ => None,
    }
}

/// The items of an array as a person lists them.
fn listed(array: &str) -> String {
    array.trim_matches(['[', ']']).replace('"', "")
}
