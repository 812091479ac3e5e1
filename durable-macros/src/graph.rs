//! Reads the flow of `run` as a graph: its durable calls, branches, loops and ways out, and what cannot be seen through.
//!
//! The graph is read, never trusted: an execution follows the code, and a name that the graph lacks is drawn when it is seen.

mod calls;
mod flow;
mod text;
mod walk;

use crate::model::Workflow;
use crate::parse::Method;
use flow::{Flow, Name, Node};
use proc_macro2::{Literal, TokenStream};
use quote::quote;
use walk::Walk;

/// The constant that holds the graph of `run`; nothing if the body cannot be read, which the compiler reports.
pub(crate) fn constant(workflow: &Workflow, run: &Method) -> Option<TokenStream> {
    let durable = &workflow.durable;
    let Flow { nodes, edges, .. } = flow_of(workflow, run)?;
    let nodes = nodes.iter().map(|Node { kind, label, name, branch }| {
        let name = match name {
            Name::Text(name) => quote!(#name),
            Name::OfWorkflow(ty) => quote!(<#ty as #durable::__macro::Workflow>::NAME),
        };
        let branch = branch.map(|(fork, branch)| format!("{fork}/{branch}")).unwrap_or_default();
        quote!([#kind, #label, #name, #branch])
    });
    let edges = edges.iter().map(|edge| {
        let (from, to) = (Literal::usize_unsuffixed(edge.from), Literal::usize_unsuffixed(edge.to));
        let label = &edge.label;
        quote!((#from, #to, #label))
    });
    Some(quote! {
        const FLOW: #durable::__macro::Flow = #durable::__macro::Flow { nodes: &[#(#nodes),*], edges: &[#(#edges),*] };
    })
}

fn flow_of(workflow: &Workflow, run: &Method) -> Option<Flow> {
    let mut walk = Walk::of(workflow);
    walk.flow.add("start", "start", "");
    walk.body_of(run)?;
    walk.flow.add("end", "end", "");
    for (step, at) in std::mem::take(&mut walk.steps) {
        for compensation in workflow.compensations_of(step).take(1) {
            walk.flow.undo(at, &compensation.name.value());
        }
    }
    Some(walk.flow)
}

#[cfg(test)]
mod tests;
