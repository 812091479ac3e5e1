//! The rules of graphs. A wrong type is the compiler's to report: the expansion binds each value at the parameter's type.

use super::model::{Graph, Input, Kind, Node, Parameter};
use super::policy::Wrapper;
use super::{cycles, each, flows, questions, sets};
use crate::check::{
    borrows_self, can_be_input, fits_into_a_key, has_impl_trait, is_plain, old_names_are_free, parameters_are_unconditional,
};
use crate::errors::Errors;
use crate::model::{Member, Workflow};
use crate::options;
use crate::parse::Method;
use proc_macro2::TokenTree;
use syn::ext::IdentExt as _;
use syn::visit::Visit;
use syn::{GenericParam, Ident, PatType};

/// How an input looks; several messages end with it.
const INPUT: &str = "`#[input] fn name(&self) -> Type;`";

/// Applies every rule of a graph.
pub(crate) fn all(workflow: &Workflow, graph: &Graph<'_>, errors: &mut Errors) {
    there_is_a_step(workflow, errors);
    for input in workflow.inputs() {
        input_is_declared_without_code(input, errors);
        input_has_a_type(workflow, input, errors);
        fits_into_a_key(&input.name, "the name of an input", errors);
        for old_name in &input.was {
            fits_into_a_key(old_name, "the name of an input", errors);
        }
    }
    for node in &graph.nodes {
        if let Kind::Step(step) = node.kind {
            flows::check(step, errors);
            not_generic(&step.method, step.arguments(), errors);
        }
    }
    for question in workflow.questions() {
        questions::check(question, errors);
    }
    for node in &graph.nodes {
        is_unconditional(node, errors);
        each::check(graph, node, errors);
        for parameter in node.parameters() {
            names_a_node(workflow, graph, node, parameter, errors);
            waits_for_what_can_be_missing(graph, parameter, errors);
        }
        sets::name_inputs(graph, node, errors);
    }
    names_differ(graph, errors);
    old_names_are_free(&mut graph.nodes.iter().map(|node| (node.name(), node.was())), "node", errors);
    there_is_one_output(graph, errors);
    cycles::report(graph, errors);
}

/// In a flow, what belongs to a graph is a mistake.
pub(crate) fn nothing_in_a_flow(workflow: &Workflow, errors: &mut Errors) {
    if let Some(open) = &workflow.open {
        errors.at(open, "`open` belongs to a graph: a workflow with `run` ends when `run` returns");
    }
    for input in workflow.inputs() {
        errors.at(
            &input.marker,
            "`#[input]` belongs to a graph, a workflow without `run`: this one takes its input as the parameter of `run` behind \
             `cx`, and later ones with `cx.wait_for_input`",
        );
    }
    for question in workflow.questions() {
        questions::refuse_in_a_flow(question, errors);
    }
    for (name, place) in workflow.steps().flat_map(|step| step.node.places()) {
        errors.at(
            place,
            format!("{name} belongs to a graph, a workflow without `run`: here, `run` says in plain code when the step runs and what follows"),
        );
    }
}

fn there_is_a_step(workflow: &Workflow, errors: &mut Errors) {
    let unreadable = workflow.members.iter().any(|member| matches!(member, Member::Unreadable { .. }));
    if workflow.steps().next().is_none() && workflow.questions().next().is_none() && !unreadable {
        errors.at(&workflow.head.self_ty, "a graph needs a step that uses its inputs: mark an async method with `#[step]`");
    }
}

fn input_is_declared_without_code(input: &Input, errors: &mut Errors) {
    let (method, signature) = (&input.method, &input.method.signature);
    if let TokenTree::Group(body) = &method.body {
        errors.at(body, format!("an input is given, not computed, so it has no body: write {INPUT}, or mark it `#[step]`"));
    }
    if let Some(asyncness) = &signature.asyncness {
        errors.at(asyncness, format!("an input is not async: write {INPUT}"));
    }
    for parameter in method.parameters() {
        errors.at(parameter, format!("an input takes nothing: write {INPUT}, or mark it `#[step]` to compute a value"));
    }
    for parameter in &signature.generics.params {
        errors.at(parameter, format!("an input cannot be generic, because it has one type: write {INPUT}"));
    }
    borrows_self(method, "an input", &format!("write {INPUT}"), errors);
    is_plain(method, "an input", errors);
}

fn input_has_a_type(workflow: &Workflow, input: &Input, errors: &mut Errors) {
    let Some(value) = input.value() else {
        errors.at(input.method.name(), format!("an input has a type: write {INPUT}"));
        return;
    };
    if !can_be_input(value) {
        errors.at(value, "an input is read from the database, so its type is an owned one: write it without `&` and `impl`");
        return;
    }
    let mut search = Mentions { names: generic_names(workflow), found: None };
    search.visit_type(value);
    if let Some(name) = search.found {
        errors.at(
            name,
            format!("the type of an input cannot depend on `{name}`: clients that start the workflow have no `{name}`"),
        );
    }
}

/// Whether the input can be a field of the generated type.
pub(super) fn is_sound(workflow: &Workflow, input: &Input) -> bool {
    let mut none = Errors::default();
    input_has_a_type(workflow, input, &mut none);
    none.into_tokens().is_none()
}

fn generic_names(workflow: &Workflow) -> Vec<&Ident> {
    let parameters = workflow.head.generics.params.iter();
    let names = parameters.filter_map(|parameter| match parameter {
        GenericParam::Type(ty) => Some(&ty.ident),
        GenericParam::Const(constant) => Some(&constant.ident),
        GenericParam::Lifetime(_) => None,
    });
    names.collect()
}

/// Looks for one of several names.
struct Mentions<'names, 'ast> {
    names: Vec<&'names Ident>,
    found: Option<&'ast Ident>,
}

impl<'ast> Visit<'ast> for Mentions<'_, 'ast> {
    fn visit_ident(&mut self, ident: &'ast Ident) {
        if self.names.contains(&ident) {
            self.found = Some(ident);
        }
    }
}

/// The engine calls the node, and knows only the types of the block.
pub(super) fn not_generic<'block>(method: &'block Method, arguments: impl Iterator<Item = &'block PatType>, errors: &mut Errors) {
    let generics = method.signature.generics.params.iter();
    for parameter in generics.filter(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        errors.at(
            parameter,
            "a node of a graph cannot be generic, because the engine calls it: put the parameter on the impl block",
        );
    }
    for argument in arguments.filter(|argument| has_impl_trait(&argument.ty)) {
        errors.at(
            &argument.ty,
            "the type of a node's parameter says what the node waits for: replace `impl …` by a type with a name",
        );
    }
}

fn is_unconditional(node: &Node<'_>, errors: &mut Errors) {
    for attribute in node.method().attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
        errors
            .at(attribute, "a node of a graph cannot depend on a `cfg`: put the attribute on the impl block, or inside the body");
    }
    match node.kind {
        Kind::Input(input) => parameters_are_unconditional(&input.method, "an input", errors),
        Kind::Question(question) => parameters_are_unconditional(&question.method, "a question", errors),
        Kind::Step(_) => {}
    }
}

fn names_a_node(workflow: &Workflow, graph: &Graph<'_>, node: &Node<'_>, parameter: &Parameter<'_>, errors: &mut Errors) {
    let Some(name) = parameter.name else {
        let message = "the name of a parameter says which node it takes, so it cannot be a pattern: take the value under the name of the node";
        errors.at(&parameter.written.pat, message);
        return;
    };
    // The compiler reports what could not be read.
    let unreadable = |member: &Member| matches!(member, Member::Unreadable { name: unreadable, .. } if unreadable == name);
    if parameter.node.is_some() || workflow.members.iter().any(unreadable) {
        return;
    }
    let others = graph.nodes.iter().map(Node::ident).filter(|other| *other != node.ident());
    let others: Vec<String> = others.map(|other| other.unraw().to_string()).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let written = name.unraw().to_string();
    let unmarked = workflow.members.iter().any(|member| matches!(member, Member::Plain(_)) && member.name() == Some(name));
    let cure = if unmarked {
        format!("; the method `{name}` has no marker: mark it `#[step]`")
    } else {
        match options::did_you_mean(&written, &others) {
            guess if guess.is_empty() && !others.is_empty() => format!(": this graph has {}", others.join(", ")),
            guess => guess,
        }
    };
    errors.at(name, format!("no input or step is named `{written}`{cure}"));
}

fn waits_for_what_can_be_missing(graph: &Graph<'_>, parameter: &Parameter<'_>, errors: &mut Errors) {
    let Some(Kind::Input(input)) = parameter.node.map(|place| graph.nodes[place].kind) else { return };
    if matches!(parameter.taking.wrapper, Wrapper::Option | Wrapper::Settled) && !input.optional {
        let name = input.method.name();
        errors.at(
            &parameter.written.ty,
            format!("`{name}` is a required input, so a node that waits for it always has its value: mark it `#[input(optional)]`, or take `{name}` by value, by `&` or as `Latest`"),
        );
    }
}

fn names_differ(graph: &Graph<'_>, errors: &mut Errors) {
    for (place, node) in graph.nodes.iter().enumerate() {
        let same_name = |earlier: &&Node<'_>| earlier.name().value() == node.name().value();
        let same_method = |earlier: &&Node<'_>| earlier.ident() == node.ident();
        let earlier = &graph.nodes[..place];
        if earlier.iter().any(|earlier| same_name(&earlier)) {
            let name = node.name().value();
            errors.at(node.name(), format!("two nodes are named `{name}`: their values could not be told apart"));
        } else if earlier.iter().any(|earlier| same_method(&earlier)) {
            let name = node.ident();
            errors.at(name, format!("two nodes have the method `{name}`: a parameter of that name could mean either"));
        }
    }
}

fn there_is_one_output(graph: &Graph<'_>, errors: &mut Errors) {
    for extra in graph.nodes.iter().filter_map(|node| node.options()?.output.as_ref()).skip(1) {
        errors.at(extra, "a graph has one `#[output]`: remove this one, or the other");
    }
}
