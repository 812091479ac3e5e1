//! Questions: nodes that a person answers. Their options, their rules, and the function that asks.

use super::check::not_generic;
use super::expand::bound;
use super::model::{Graph, Node, NodeOptions};
use super::read;
use crate::check::{borrows_self, can_be_output, fits_into_a_key, is_plain};
use crate::errors::Errors;
use crate::expand::{duration, option, placed};
use crate::model::Workflow;
use crate::options::{self, Legal, Options};
use crate::parse::Method;
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use std::time::Duration;
use syn::spanned::Spanned as _;
use syn::{Attribute, Ident, LitStr, ReturnType, Type};

pub(crate) const OPTIONS: Legal =
    Legal { taker: "a question", names: &["prompt", "timeout", "assignee", "name", "was", "when", "on_failure", "ends"] };

/// How a question looks; several messages end with it.
const QUESTION: &str = "`#[question(prompt = \"…\")] fn name(&self, other: &Value) -> Answer;`";

/// Longest name of an assignee, in bytes, as in the engine.
const LONGEST_ASSIGNEE: usize = 500;

/// A method marked `#[question]`, without the marker.
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) marker: Attribute,
    pub(crate) name: LitStr,
    pub(crate) was: Vec<LitStr>,
    prompt: Option<LitStr>,
    assignee: Option<LitStr>,
    timeout: Option<Duration>,
    /// What it says as a node of a graph.
    pub(crate) node: Box<NodeOptions>,
}

impl Question {
    pub(crate) fn read(
        (method, marker): (Method, Attribute),
        name: LitStr,
        output: Option<Attribute>,
        options: &mut Options,
        errors: &mut Errors,
    ) -> Self {
        Self {
            name,
            was: options.take("was", options::texts, errors).unwrap_or_default(),
            prompt: options.take("prompt", options::text, errors),
            assignee: options.take("assignee", options::text, errors),
            timeout: options.take("timeout", options::duration, errors).map(|(timeout, _)| timeout),
            node: Box::new(read::options(options, output, errors)),
            method,
            marker,
        }
    }

    /// The type of the answer.
    pub(crate) fn answer(&self) -> Option<&Type> {
        match &self.method.signature.output {
            ReturnType::Type(_, ty) => Some(ty),
            ReturnType::Default => None,
        }
    }
}

/// Applies every rule of a question.
pub(super) fn check(question: &Question, errors: &mut Errors) {
    let (method, signature) = (&question.method, &question.method.signature);
    if let TokenTree::Group(body) = &method.body {
        errors.at(body, format!("a question is answered by a person, so it has no body: write {QUESTION}, or mark it `#[step]`"));
    }
    if let Some(asyncness) = &signature.asyncness {
        errors.at(asyncness, format!("a question is not async: write {QUESTION}"));
    }
    match question.answer() {
        None => errors.at(method.name(), format!("a question has the type of its answer: write {QUESTION}")),
        Some(answer) if !can_be_output(answer) => {
            errors
                .at(answer, "an answer is read from the database, so its type is an owned one: write it without `&` and `impl`");
        }
        Some(_) => {}
    }
    not_generic(method, method.parameters(), errors);
    borrows_self(method, "a question", &format!("write {QUESTION}"), errors);
    is_plain(method, "a question", errors);
    for name in std::iter::once(&question.name).chain(&question.was) {
        fits_into_a_key(name, "the name of a question", errors);
    }
    if let Some(assignee) = &question.assignee {
        let name = assignee.value();
        if name.is_empty() || name.len() > LONGEST_ASSIGNEE || name.contains(char::is_control) {
            errors.at(assignee, format!("an assignee has 1 to {LONGEST_ASSIGNEE} bytes without control characters"));
        }
    }
}

/// In a flow, a question is a mistake.
pub(super) fn refuse_in_a_flow(question: &Question, errors: &mut Errors) {
    errors.at(
        &question.marker,
        "`#[question]` belongs to a graph, a workflow without `run`: here, `run` asks with `cx.wait_for_input(…)` and waits for the \
         answer",
    );
}

/// The function that asks, about the values of the parameters.
pub(super) fn ask(workflow: &Workflow, graph: &Graph<'_>, node: &Node<'_>, question: &Question) -> TokenStream {
    let (durable, run_name, name) = (&workflow.durable, node.run_name(), &question.name);
    let (_, statements, names) = bound(durable, graph, &node.takes);
    // The values are only looked at: a wrong type is reported where it was written.
    let looked_at = (!names.is_empty()).then(|| quote!({ #(#statements)* let _ = (#(#names,)*); }));
    let takes = node.takes.iter().filter_map(|parameter| Some(graph.nodes[parameter.node?].name()));
    let text = |text: &Option<LitStr>| option(text.as_ref().map(|text| text.to_token_stream()));
    let (prompt, assignee, timeout) = (text(&question.prompt), text(&question.assignee), option(question.timeout.map(duration)));
    let answer = question.answer();
    // A type that cannot be an answer is reported where it was written.
    let ask = {
        let durable = placed(durable, answer.span());
        quote_spanned!(answer.span()=> #durable::__macro::graph::ask::<#answer>(question, taken).await)
    };
    let taken = Ident::new("taken", answer.span());
    let question_variable = Ident::new("question", answer.span());
    quote! {
        #[doc(hidden)]
        fn #run_name<'run>(
            &'run self,
            #taken: &'run #durable::__macro::graph::Taken,
        ) -> #durable::__macro::BoxFuture<'run, #durable::__macro::Result<#durable::__macro::graph::Computed>> {
            ::std::boxed::Box::pin(async move {
                #looked_at
                let #question_variable = #durable::__macro::graph::Question {
                    name: #name,
                    prompt: #prompt,
                    assignee: #assignee,
                    timeout: #timeout,
                    takes: &[#(#takes),*],
                };
                #ask
            })
        }
    }
}
