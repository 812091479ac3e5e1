//! What the user meant by a graph: inputs, and what the options of steps say about nodes.

use super::each::Each;
use super::policy::Taking;
use super::questions::Question;
use crate::model::Step;
use crate::parse::Method;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident};
use std::time::Duration;
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident, LitStr, PatType, ReturnType, Type};

/// A method marked `#[input]`, without the marker.
pub(crate) struct Input {
    pub(crate) method: Method,
    pub(crate) marker: Attribute,
    pub(crate) name: LitStr,
    pub(crate) was: Vec<LitStr>,
    /// Whether the graph can complete without it.
    pub(crate) optional: bool,
    /// How many of its newest values are kept; 0 for none but the present one.
    pub(crate) history: u32,
}

/// The options of a step that only nodes of a graph have.
#[derive(Default)]
pub(crate) struct NodeOptions {
    pub(crate) when: Option<When>,
    /// The list for whose items it runs.
    pub(crate) each: Option<Each>,
    /// For how many items it runs at once, if the user says so.
    pub(crate) concurrency: Option<u32>,
    /// How long it waits before it runs.
    pub(crate) delay: Option<Duration>,
    /// Whether the node counts as skipped if it fails.
    pub(crate) skips_failure: bool,
    /// Whether the execution is over after it.
    pub(crate) ends: bool,
    /// Whether the execution is over after it, and is archived.
    pub(crate) archives: bool,
    /// How many of its newest values are kept; 0 for none but the present one.
    pub(crate) history: u32,
    /// The inputs to which the result is given.
    pub(crate) sets: Vec<SetInput>,
    /// The marker `#[output]`.
    pub(crate) output: Option<Attribute>,
    /// The marker `#[timer]`: its step says when it fires.
    pub(crate) timer: Option<Attribute>,
    /// Whether its step takes `cx`, and is a flow.
    pub(crate) flow: bool,
    /// The names of those options that were written, even if their values have mistakes.
    pub(crate) written: Vec<Ident>,
}

/// An input to which the result of a step is given.
pub(crate) struct SetInput {
    pub(crate) name: Ident,
    /// Whether that is no change, so that nothing runs because of it.
    pub(crate) silently: bool,
}

/// The condition under which a node runs.
pub(crate) struct When {
    pub(crate) parameters: Vec<PatType>,
    /// The type that the closure returns, if it says so.
    pub(crate) output: Option<Type>,
    /// The body of the closure.
    pub(crate) body: TokenStream,
}

/// The nodes of a block, in the order written, with their edges.
pub(crate) struct Graph<'block> {
    pub(crate) nodes: Vec<Node<'block>>,
}

pub(crate) struct Node<'block> {
    pub(crate) kind: Kind<'block>,
    /// What its code takes.
    pub(crate) takes: Vec<Parameter<'block>>,
    /// What its condition takes.
    pub(crate) when: Vec<Parameter<'block>>,
    /// The inputs to which its result is given, each with the place of the node that it names.
    pub(crate) sets: Vec<(&'block SetInput, Option<usize>)>,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind<'block> {
    Input(&'block Input),
    Step(&'block Step),
    Question(&'block Question),
}

/// A parameter of a node or of its condition.
pub(crate) struct Parameter<'block> {
    pub(crate) written: &'block PatType,
    /// The name of the node that it takes, as it was written; `None` if it is a pattern.
    pub(crate) name: Option<&'block Ident>,
    pub(crate) taking: Taking<'block>,
    /// The place of the node that it names; `None` if there is no such node.
    pub(crate) node: Option<usize>,
}

impl Input {
    /// The type of the value.
    pub(crate) fn value(&self) -> Option<&Type> {
        match &self.method.signature.output {
            ReturnType::Type(_, ty) => Some(ty),
            ReturnType::Default => None,
        }
    }
}

impl<'block> Node<'block> {
    /// The name of its method.
    pub(crate) fn ident(&self) -> &'block Ident {
        self.method().name()
    }

    pub(crate) fn method(&self) -> &'block Method {
        match self.kind {
            Kind::Input(input) => &input.method,
            Kind::Step(step) => &step.method,
            Kind::Question(question) => &question.method,
        }
    }

    /// Its name in values and messages.
    pub(crate) fn name(&self) -> &'block LitStr {
        match self.kind {
            Kind::Input(input) => &input.name,
            Kind::Step(step) => &step.name,
            Kind::Question(question) => &question.name,
        }
    }

    /// The names that it had before.
    pub(crate) fn was(&self) -> &'block [LitStr] {
        match self.kind {
            Kind::Input(input) => &input.was,
            Kind::Step(step) => &step.was,
            Kind::Question(question) => &question.was,
        }
    }

    /// How many of its newest values are kept.
    pub(crate) fn history(&self) -> u32 {
        match self.kind {
            Kind::Input(input) => input.history,
            _ => self.options().map_or(0, |options| options.history),
        }
    }

    /// What it says as a node that is not given.
    pub(crate) fn options(&self) -> Option<&'block NodeOptions> {
        match self.kind {
            Kind::Input(_) => None,
            Kind::Step(step) => Some(&step.node),
            Kind::Question(question) => Some(&question.node),
        }
    }

    /// The edges of its code and of its condition.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Parameter<'block>> {
        self.takes.iter().chain(&self.when)
    }

    /// The function that calls the step with what it takes: `__node_score`.
    pub(crate) fn run_name(&self) -> Ident {
        format_ident!("__node_{}", self.ident().unraw(), span = Span::call_site())
    }

    /// The function that evaluates the condition with what it takes: `__when_score`.
    pub(crate) fn when_name(&self) -> Ident {
        format_ident!("__when_{}", self.ident().unraw(), span = Span::call_site())
    }

    /// The function that holds the condition as it was written: `__condition_of_score`.
    pub(crate) fn condition_name(&self) -> Ident {
        format_ident!("__condition_of_{}", self.ident().unraw(), span = Span::call_site())
    }
}

impl<'block> Graph<'block> {
    /// The node whose value is the output.
    pub(crate) fn output(&self) -> Option<&Node<'block>> {
        self.nodes.iter().find(|node| node.options().is_some_and(|options| options.output.is_some()))
    }
}

impl NodeOptions {
    /// The places that say that a step is a node of a graph.
    pub(crate) fn places(&self) -> impl Iterator<Item = (String, TokenStream)> {
        let options = self.written.iter().map(|name| (format!("`{name}`"), name.to_token_stream()));
        let markers = [("`#[output]`", &self.output), ("`#[timer]`", &self.timer)];
        options
            .chain(markers.into_iter().filter_map(|(name, marker)| Some((name.to_owned(), marker.as_ref()?.to_token_stream()))))
    }
}
