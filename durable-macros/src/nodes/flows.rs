//! Nodes that are flows: steps with `cx`, which may sleep, wait, branch, start children, and call other steps of the block.

use super::model::NodeOptions;
use crate::errors::Errors;
use crate::model::{Member, Step, Workflow, is_context};
use crate::parse::Method;
use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::{Ident, Pat};

/// Notes which steps of a graph are flows.
pub(crate) fn mark(members: &mut [Member]) {
    if members.iter().any(|member| matches!(member, Member::Run(_) | Member::UnreadableRun)) {
        return;
    }
    for member in members {
        if let Member::Step(step) = member {
            step.node.flow = step.method.context().is_some();
        }
    }
}

/// The steps that are no nodes, because flows call them and no node takes them: their parameters are arguments.
pub(super) fn called(workflow: &Workflow) -> Vec<&Ident> {
    if !workflow.steps().any(|step| step.node.flow) {
        return Vec::new();
    }
    let mut calls = Vec::new();
    for member in &workflow.members {
        match member {
            Member::Step(step) if step.node.flow => calls_in(&step.method, &mut calls),
            Member::Plain(method) => calls_in(method, &mut calls),
            _ => {}
        }
    }
    let is_called = |step: &Step| calls.contains(&step.method.name().unraw().to_string());
    let may_be = |step: &&Step| !step.node.flow && !says_that_it_is_a_node(&step.node) && is_called(step);
    let takes = |name: &Ident| {
        let nodes = workflow.steps().filter(|step| !may_be(step));
        let methods = nodes.map(|step| (&step.method, &step.node));
        let questions = workflow.questions().map(|question| (&question.method, &question.node));
        methods.chain(questions).any(|(method, options)| {
            let when = options.when.iter().flat_map(|when| &when.parameters);
            method.parameters().chain(when).any(|parameter| matches!(&*parameter.pat, Pat::Ident(taken) if taken.ident == *name))
        })
    };
    workflow.steps().filter(may_be).map(|step| step.method.name()).filter(|name| !takes(name)).collect()
}

fn says_that_it_is_a_node(options: &NodeOptions) -> bool {
    options.places().next().is_some()
}

/// Adds the names behind `self.` in the body of a method.
fn calls_in(method: &Method, calls: &mut Vec<String>) {
    calls_among(TokenStream::from(method.body.clone()), calls);
}

fn calls_among(tokens: TokenStream, calls: &mut Vec<String>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (place, tree) in trees.iter().enumerate() {
        match (tree, trees.get(place + 1), trees.get(place + 2)) {
            (TokenTree::Group(group), ..) => calls_among(group.stream(), calls),
            (TokenTree::Ident(word), Some(TokenTree::Punct(dot)), Some(TokenTree::Ident(name)))
                if word == "self" && dot.as_char() == '.' =>
            {
                calls.push(name.unraw().to_string());
            }
            _ => {}
        }
    }
}

/// Applies the rules of `cx` in a node.
pub(super) fn check(step: &Step, errors: &mut Errors) {
    for (place, context) in step.method.parameters().enumerate().filter(|(_, parameter)| is_context(&parameter.ty)) {
        if place > 0 {
            errors.at(context, "a node that is a flow takes `cx` first: write `&self, cx: &Context, …`");
        } else if step.node.timer.is_some() {
            errors.at(
                context,
                "a timer only says when it fires, and waits by itself: remove `cx`, or mark the method `#[step]` and call `cx.sleep_until`",
            );
        } else if step.node.each.is_some() {
            errors.at(
                context,
                "a step that runs for each item cannot take `cx`: take the whole list without `each`, and call `cx.map`",
            );
        } else if step.timeout.is_some() {
            errors.at(
                context,
                "a node that takes `cx` may wait for days, and `timeout` is for attempts that one worker runs: remove the option, and \
                 give timeouts to the waits and steps in the node",
            );
        }
    }
    if let Some(queue) = step.queue.as_ref().filter(|_| step.node.flow) {
        errors.at(
            queue,
            "a node that takes `cx` runs with its graph, and cannot be sent to another queue: remove the option, and give it to the \
             steps that the node calls",
        );
    }
}
