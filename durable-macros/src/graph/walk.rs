//! Walks through the statements of `run` and of the helper methods it calls, in the order in which they run.

use super::flow::{Flow, Loose, MOST_NODES};
use super::text;
use crate::model::{Member, Step, Workflow};
use crate::parse::Method;
use proc_macro2::TokenTree;
use std::collections::HashSet;
use syn::parse::Parser as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Pat, Type};

/// The walk, and where it is.
pub(super) struct Walk<'workflow> {
    pub(super) workflow: &'workflow Workflow,
    pub(super) flow: Flow,
    /// The nodes of steps.
    pub(super) steps: Vec<(&'workflow Step, usize)>,
    /// The bodies that the walk is in, from `run` inwards.
    pub(super) bodies: Vec<Body>,
    /// Where jumps lead, from the outermost place inwards.
    places: Vec<Place>,
    /// How far out the jumps of the innermost loop lead: the number of places around their target.
    farthest_jump: usize,
    /// Whether the expression that is visited next is awaited at once.
    pub(super) awaited: bool,
    /// Helpers in which nothing durable was found: they call each other, and are not walked through again.
    plain: HashSet<String>,
}

/// The body of `run` or of a helper.
pub(super) struct Body {
    name: String,
    /// The names under which the body has the `Context`.
    contexts: Vec<String>,
    /// Whether a type that the body names means the same in the impl block.
    pub(super) names_types_of_the_block: bool,
}

/// A place that `break`, `continue` or `return` leads to.
struct Place {
    /// The node to go on from; `None` for a labelled block, and for what `return` leaves.
    head: Option<usize>,
    label: Option<String>,
    /// Whether `return` leads here: the end of a function, a closure or an async block.
    is_frame: bool,
    exits: Vec<Loose>,
}

impl<'workflow> Walk<'workflow> {
    pub(super) fn of(workflow: &'workflow Workflow) -> Self {
        Self {
            workflow,
            flow: Flow::default(),
            steps: Vec::new(),
            bodies: Vec::new(),
            places: Vec::new(),
            farthest_jump: usize::MAX,
            awaited: false,
            plain: HashSet::new(),
        }
    }

    /// Walks through the body of a method; `None` if it is a syntax error.
    pub(super) fn body_of(&mut self, method: &Method) -> Option<()> {
        let TokenTree::Group(braces) = &method.body else { return None };
        let statements = Block::parse_within.parse2(braces.stream()).ok()?;
        let contexts = method.parameters().filter(|parameter| is_context(&parameter.ty));
        let mut conditions = Conditions::default();
        statements.iter().for_each(|statement| conditions.visit_stmt(statement));
        self.bodies.push(Body {
            name: method.name().to_string(),
            contexts: contexts.filter_map(|parameter| name_of(&parameter.pat)).collect(),
            names_types_of_the_block: !conditions.found && method.signature.generics.type_params().next().is_none(),
        });
        self.frame(|walk| statements.iter().for_each(|statement| walk.visit_stmt(statement)));
        self.bodies.pop();
        Some(())
    }

    /// The helper method of this name: one without a marker, or a compensation that is called as one.
    pub(super) fn helper(&self, name: &syn::Ident) -> Option<&'workflow Method> {
        self.workflow.members.iter().find_map(|member| {
            match member {
                Member::Plain(method) | Member::Run(method) => Some(method),
                Member::Compensation(compensation) => Some(&compensation.method),
                _ => None,
            }
            .filter(|method| method.name() == name)
        })
    }

    /// Walks through a helper where it is called, unless that would not end.
    pub(super) fn inline(&mut self, helper: &Method) {
        let name = helper.name().to_string();
        if self.plain.contains(&name) || !self.flow.is_reachable() {
            return;
        }
        let mark = self.flow.mark();
        let recurs = self.bodies.iter().any(|body| body.name == name);
        if recurs || self.flow.nodes.len() > MOST_NODES || self.body_of(helper).is_none() {
            self.opaque(&format!("self.{name}"));
        }
        if self.flow.added_since(&mark) == 0 {
            self.plain.insert(name);
        }
    }

    /// A node for code that may journal and cannot be seen.
    pub(super) fn opaque(&mut self, text: &str) {
        self.flow.add("opaque", text, "");
    }

    /// Whether the expression is the `Context`, perhaps borrowed.
    pub(super) fn is_context(&self, expression: &Expr) -> bool {
        let contexts = self.bodies.last().map(|body| &body.contexts);
        path_word(expression).is_some_and(|word| contexts.is_some_and(|contexts| contexts.iter().any(|name| word == name)))
    }

    /// Whether the expression gives the workflow or its `Context` away.
    pub(super) fn is_given_away(&self, expression: &Expr) -> bool {
        self.is_context(expression) || is_self(expression)
    }

    /// Visits something that `return` leaves, and goes on behind it. It is not drawn if nothing durable is in it.
    pub(super) fn frame(&mut self, visit: impl FnOnce(&mut Self)) {
        let mark = self.flow.mark();
        let place = Place { head: None, label: None, is_frame: true, exits: Vec::new() };
        self.place(place, visit);
        if !self.flow.is_durable_since(&mark) {
            self.flow.take_back(mark);
        }
    }

    fn place(&mut self, place: Place, visit: impl FnOnce(&mut Self)) {
        self.places.push(place);
        visit(self);
        if let Some(place) = self.places.pop() {
            self.flow.loose.extend(place.exits);
        }
    }

    fn jump(&mut self, is_target: impl Fn(&Place) -> bool, continues: bool) {
        let loose = self.flow.take_loose();
        let Some(depth) = self.places.iter().rposition(is_target) else { return };
        self.farthest_jump = self.farthest_jump.min(depth);
        let place = &mut self.places[depth];
        match place.head.filter(|_| continues) {
            Some(head) => {
                self.flow.loose = loose;
                self.flow.lead_to(head);
            }
            None => place.exits.extend(loose),
        }
    }

    /// Visits the arms of a decision. A decision without durable calls and ways out is not drawn.
    fn decide(&mut self, label: &str, arms: Vec<Arm<'_, 'workflow>>) {
        let mark = self.flow.mark();
        let Some(node) = self.flow.add("decision", label, "") else { return };
        let (mut ends, mut leaves) = (Vec::new(), false);
        for Arm { label, visit } in arms {
            self.flow.go_on_from(node, &label);
            visit(self);
            leaves |= !self.flow.is_reachable();
            ends.extend(self.flow.take_loose());
        }
        if self.flow.added_since(&mark) == 1 && !leaves {
            self.flow.take_back(mark);
        } else {
            self.flow.loose = ends;
        }
    }

    fn if_(&mut self, decision: &syn::ExprIf) {
        let label = self.asked(&decision.cond, "if");
        let on_else = |walk: &mut Self| {
            if let Some((_, on_else)) = &decision.else_branch {
                walk.visit_expr(on_else);
            }
        };
        self.decide(&label, vec![Arm::new("if", |walk| walk.visit_block(&decision.then_branch)), Arm::new("else", on_else)]);
    }

    fn match_(&mut self, decision: &syn::ExprMatch) {
        let label = self.asked(&decision.expr, "match");
        let arms = decision.arms.iter();
        let arms = arms.map(|arm| {
            Arm::new(text::of(&arm.pat), |walk: &mut Self| {
                if let Pat::Guard(guarded) = &arm.pat {
                    walk.visit_expr(&guarded.guard);
                }
                walk.visit_expr(&arm.body);
            })
        });
        self.decide(&label, arms.collect());
    }

    /// Visits what a decision asks about; its text, unless it has nodes of its own.
    fn asked(&mut self, condition: &Expr, word: &str) -> String {
        let mark = self.flow.mark();
        self.visit_expr(condition);
        if self.flow.added_since(&mark) == 0 { text::of(condition) } else { word.to_owned() }
    }

    /// A loop is drawn if durable calls are in it, or ways to farther out than its end.
    fn loop_(&mut self, label: Option<&syn::Label>, head: &str, condition: Option<&Expr>, body: &Block, ends: bool) {
        let mark = self.flow.mark();
        let Some(node) = self.flow.add("loop", head, "") else { return };
        let place = Place { head: Some(node), label: label.map(name_of_label), is_frame: false, exits: Vec::new() };
        let depth = self.places.len();
        let farthest = std::mem::replace(&mut self.farthest_jump, usize::MAX);
        self.place(place, |walk| {
            if let Some(condition) = condition {
                walk.visit_expr(condition);
            }
            let done = walk.flow.loose.iter().filter(|_| ends).map(|end| end.clone().labelled("done")).collect::<Vec<_>>();
            walk.flow.loose.iter_mut().for_each(|end| *end = end.clone().labelled(if ends { "each" } else { "" }));
            walk.visit_block(body);
            walk.flow.loose.iter_mut().for_each(|end| *end = end.clone().labelled("loop"));
            walk.flow.lead_to(node);
            walk.flow.loose = done;
        });
        if self.farthest_jump >= depth && !self.flow.is_durable_since(&mark) {
            self.flow.take_back(mark);
        }
        self.farthest_jump = self.farthest_jump.min(farthest);
    }

    /// Runs branches at once: from one node into each of them, and out of all of them into another one.
    pub(super) fn fork(&mut self, kind: &'static str, name: &str, merge: &str, branches: &[&Expr]) {
        let around = self.flow.branch;
        let label = if name.is_empty() { kind.to_owned() } else { format!("{kind} {name}") };
        let Some(fork) = self.flow.add(kind, &label, name) else { return };
        let mut ends = Vec::new();
        for (number, branch) in branches.iter().enumerate() {
            self.flow.branch = Some((fork, number));
            self.flow.go_on_from(fork, if kind == "map" { "each" } else { "" });
            self.frame(|walk| {
                walk.awaited = true;
                walk.branch(branch);
                walk.awaited = false;
            });
            ends.extend(self.flow.take_loose());
        }
        self.flow.branch = around;
        self.flow.loose = ends;
        self.flow.add("merge", merge, "");
    }

    fn branch(&mut self, branch: &Expr) {
        match branch {
            Expr::Closure(closure) => self.visit_expr(&closure.body),
            // What a variable or a function does cannot be seen from here.
            Expr::Path(_) => self.opaque(&text::of(branch)),
            branch => self.visit_expr(branch),
        }
    }

    /// A closure that is called where this walk does not see it, if it has durable calls.
    fn closure(&mut self, closure: &syn::ExprClosure) {
        let (mark, steps) = (self.flow.mark(), self.steps.len());
        self.frame(|walk| walk.visit_expr(&closure.body));
        let durable = self.flow.is_durable_since(&mark);
        self.flow.take_back(mark);
        self.steps.truncate(steps);
        if durable {
            self.opaque(&text::cut(&format!("|…| {}", text::of(&closure.body))));
        }
    }
}

/// One arm of a decision, and how its body is visited.
struct Arm<'visit, 'workflow> {
    label: String,
    visit: Box<dyn FnOnce(&mut Walk<'workflow>) + 'visit>,
}

impl<'visit, 'workflow> Arm<'visit, 'workflow> {
    fn new(label: impl Into<String>, visit: impl FnOnce(&mut Walk<'workflow>) + 'visit) -> Self {
        Self { label: label.into(), visit: Box::new(visit) }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    // An item inside a body is called by its name, if at all.
    fn visit_item(&mut self, _: &'ast syn::Item) {}

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let Some(init) = &local.init else { return };
        if self.is_context(&init.expr)
            && let (Some(alias), Some(body)) = (name_of(&local.pat), self.bodies.last_mut())
        {
            body.contexts.push(alias);
            return;
        }
        if is_self(&init.expr) && name_of(&local.pat).is_some() {
            // What is called under the other name is not followed.
            self.opaque(&text::cut(&format!("let {} = self", text::of(&local.pat))));
        }
        self.visit_expr(&init.expr);
        if let Some((_, otherwise)) = &init.diverge {
            let arms = vec![Arm::new("", |_: &mut Self| {}), Arm::new("else", |walk: &mut Self| walk.visit_expr(otherwise))];
            self.decide(&text::cut(&format!("let {}", text::of(&local.pat))), arms);
        }
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        let awaited = std::mem::take(&mut self.awaited);
        match expression {
            Expr::If(decision) => self.if_(decision),
            Expr::Match(decision) => self.match_(decision),
            Expr::Loop(all) => self.loop_(all.label.as_ref(), "loop", None, &all.body, false),
            Expr::While(all) => {
                let head = text::cut(&format!("while {}", text::of(&all.cond)));
                self.loop_(all.label.as_ref(), &head, Some(&all.cond), &all.body, true);
            }
            Expr::ForLoop(all) => {
                self.visit_expr(&all.expr);
                let head = text::cut(&format!("for {} in {}", text::of(&all.pat), text::of(&all.expr)));
                self.loop_(all.label.as_ref(), &head, None, &all.body, true);
            }
            Expr::Block(block) if block.label.is_some() => {
                let label = block.label.as_ref().map(name_of_label);
                let place = Place { head: None, label, is_frame: false, exits: Vec::new() };
                self.place(place, |walk| walk.visit_block(&block.block));
            }
            Expr::Return(leave) => {
                leave.expr.iter().for_each(|value| self.visit_expr(value));
                self.leave();
            }
            Expr::Break(leave) => {
                leave.expr.iter().for_each(|value| self.visit_expr(value));
                let label = leave.label.as_ref().map(|label| label.ident.to_string());
                self.jump(|place| place.is_left_by(label.as_deref()), false);
            }
            Expr::Continue(again) => {
                let label = again.label.as_ref().map(|label| label.ident.to_string());
                self.jump(|place| place.head.is_some() && place.is_left_by(label.as_deref()), true);
            }
            Expr::Binary(both) if matches!(both.op, syn::BinOp::And(_) | syn::BinOp::Or(_)) => {
                self.visit_expr(&both.left);
                let (on, off) = if matches!(both.op, syn::BinOp::And(_)) { ("if", "else") } else { ("else", "if") };
                let right = Arm::new(on, |walk: &mut Self| walk.visit_expr(&both.right));
                self.decide(&text::of(&both.left), vec![right, Arm::new(off, |_: &mut Self| {})]);
            }
            Expr::Async(block) => self.frame(|walk| walk.visit_block(&block.block)),
            Expr::Closure(closure) => self.closure(closure),
            Expr::Await(wait) => {
                self.awaited = true;
                self.visit_expr(&wait.base);
                self.awaited = false;
            }
            Expr::MethodCall(call) => self.method_call(call, awaited),
            Expr::Call(call) => self.call(call, awaited),
            expression => visit::visit_expr(self, expression),
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.macro_call(call);
    }
}

impl Walk<'_> {
    /// Leaves the function, closure or async block.
    pub(super) fn leave(&mut self) {
        self.jump(|place| place.is_frame, false);
    }
}

impl Place {
    /// Whether a `break` with this label, or without one, leaves it.
    fn is_left_by(&self, label: Option<&str>) -> bool {
        match label {
            Some(label) => self.label.as_deref() == Some(label),
            None => self.head.is_some(),
        }
    }
}

/// Looks for what makes types mean something else in a body than in the impl block: local items, and conditions.
#[derive(Default)]
struct Conditions {
    found: bool,
}

impl<'ast> Visit<'ast> for Conditions {
    fn visit_item(&mut self, _: &'ast syn::Item) {
        self.found = true;
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.found |= attribute.path().is_ident("cfg");
    }
}

fn is_context(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if crate::model::last_word(&reference.elem).is_some_and(|word| word == "Context"))
}

fn name_of_label(label: &syn::Label) -> String {
    label.name.ident.to_string()
}

/// The name that a plain pattern binds.
fn name_of(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(pattern) => Some(pattern.ident.to_string()),
        Pat::Type(pattern) => name_of(&pattern.pat),
        _ => None,
    }
}

pub(super) fn is_self(expression: &Expr) -> bool {
    path_word(expression).is_some_and(|word| word == "self")
}

/// The word that an expression is, perhaps borrowed or in parentheses.
fn path_word(expression: &Expr) -> Option<&syn::Ident> {
    match expression {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Reference(reference) => path_word(&reference.expr),
        Expr::Paren(inner) => path_word(&inner.expr),
        Expr::Group(inner) => path_word(&inner.expr),
        _ => None,
    }
}
