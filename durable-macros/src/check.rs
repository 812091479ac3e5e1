//! The rules of a workflow: one function, one rule, one message.
//!
//! Traits of the runtime check what needs types: is this a `Result`, can it be stored?

mod compensations;
mod routes;

use crate::errors::Errors;
use crate::lifetimes;
use crate::model::{self, Form, Member, Retry, Step, Workflow};
use crate::nodes;
use crate::parse::Method;
use syn::visit::Visit;
use syn::{FnArg, GenericParam, LitStr, ReceiverKind, ReturnType, Type};

/// Names are part of journal keys and of the indexes over them, so they are short.
const LONGEST_NAME: usize = 100;
/// How `run` looks; several messages end with it.
const RUN: &str = "`async fn run(&self, cx: &Context, input: …) -> Result<…>`";

/// Applies every rule.
pub(crate) fn all(workflow: &Workflow, errors: &mut Errors) {
    workflow_name_fits_into_a_key(workflow, errors);
    queue_has_a_name(&workflow.queue, "leave the option out for `default`", errors);
    key_and_limit_come_together(workflow, errors);
    type_borrows_nothing(workflow, errors);
    let form = workflow.form();
    match &form {
        Some(Form::Graph(graph)) => nodes::check::all(workflow, graph, errors),
        Some(Form::Flow(_)) | None => {
            there_is_one_run(workflow, errors);
            nodes::check::nothing_in_a_flow(workflow, errors);
            step_names_differ(workflow, errors);
            let mut steps = workflow.steps().map(|step| (&step.name, step.was.as_slice()));
            old_names_are_free(&mut steps, "step", errors);
        }
    }
    if let Some(run) = workflow.run() {
        run_is_async(run, errors);
        run_borrows_self(run, errors);
        run_takes_the_context_and_one_input(run, errors);
        run_owns_its_input(run, errors);
        run_is_not_generic(run, errors);
        returns_something(run, "`run`", errors);
        returns_what_it_owns(run, "`run`", errors);
        is_plain(run, "`run`", errors);
    }
    for step in workflow.steps() {
        is_async(&step.method, "a step", errors);
        serves_every_execution(&step.method, "a step", errors);
        step_has_its_transaction(step, errors);
        step_borrows_nothing_mutably(step, errors);
        parameters_are_unconditional(&step.method, "a step", errors);
        step_leaves_our_lifetimes_alone(step, errors);
        returns_something(&step.method, "a step", errors);
        returns_what_it_owns(&step.method, "a step", errors);
        is_plain(&step.method, "a step", errors);
        step_names_fit_into_a_key(step, errors);
        retry_delays_can_grow(step.retry.as_ref(), errors);
    }
    routes::all(workflow, errors);
    compensations::all(workflow, errors);
}

fn workflow_name_fits_into_a_key(workflow: &Workflow, errors: &mut Errors) {
    fits_into_a_key(&workflow.name, "the name of a workflow", errors);
}

fn step_names_fit_into_a_key(step: &Step, errors: &mut Errors) {
    fits_into_a_key(&step.name, "the name of a step", errors);
    for old_name in &step.was {
        fits_into_a_key(old_name, "the name of a step", errors);
    }
}

pub(crate) fn fits_into_a_key(name: &LitStr, what: &str, errors: &mut Errors) {
    let text = name.value();
    let separator = text.chars().find(|letter| matches!(letter, '#' | '/') || letter.is_whitespace() || letter.is_control());
    if text.is_empty() {
        errors.at(name, format!("{what} is empty: write one, or leave the option out"));
    } else if text.chars().count() > LONGEST_NAME {
        errors.at(name, format!("{what} has more than {LONGEST_NAME} characters: shorten it"));
    } else if let Some(separator) = separator {
        errors.at(name, format!("{what} cannot contain {separator:?}, which journal keys are built with: use letters, digits, `_`, `-`, `.` or `:`"));
    }
}

fn queue_has_a_name(queue: &LitStr, otherwise: &str, errors: &mut Errors) {
    let name = queue.value();
    if name.trim().is_empty() {
        errors.at(queue, format!("the name of a queue is empty: write one, or {otherwise}"));
    } else if name.chars().count() > LONGEST_NAME {
        errors.at(queue, format!("the name of a queue has more than {LONGEST_NAME} characters: shorten it"));
    }
}

fn key_and_limit_come_together(workflow: &Workflow, errors: &mut Errors) {
    let concurrency = &workflow.concurrency;
    match (&concurrency.key_name, &concurrency.limit_name) {
        (Some(key), None) => errors.at(
            key,
            "`concurrency_key` says which executions are counted together, not how many may run: add `limit = 1`, or more",
        ),
        (None, Some(limit)) => errors.at(
            limit,
            "`limit` counts executions with the same key: add `concurrency_key = |input: &…| …`, or limit the queue instead",
        ),
        _ => {}
    }
}

fn type_borrows_nothing(workflow: &Workflow, errors: &mut Errors) {
    if borrows(workflow) {
        errors.at(
            &workflow.head.self_ty,
            "a workflow lives as long as its worker, so its type cannot borrow: own the data, or share it with `Arc`",
        );
    }
}

/// Whether the type of the workflow has a lifetime other than `'static`.
pub(crate) fn borrows(workflow: &Workflow) -> bool {
    workflow.head.generics.lifetimes().next().is_some() || lifetimes::has_elided(&workflow.head.self_ty)
}

fn there_is_one_run(workflow: &Workflow, errors: &mut Errors) {
    let unreadable = workflow.members.iter().any(|member| matches!(member, Member::UnreadableRun));
    let mut unconditional = workflow.runs().filter(|run| !run.is_conditional());
    if workflow.run().is_none() && !unreadable {
        errors.at(&workflow.head.self_ty, format!("a workflow needs {RUN}"));
    } else if unconditional.next().is_none() && !unreadable {
        let run = workflow.run().map(Method::name);
        errors.at(run, "`run` cannot depend on a `cfg`: put the attribute on the impl block, or inside the body");
    }
    for extra in workflow.runs().skip(1) {
        errors.at(extra.name(), "a workflow has one `run`: remove this one, or give it another name");
    }
}

fn run_is_async(run: &Method, errors: &mut Errors) {
    if run.signature.asyncness.is_none() {
        errors.at(run.signature.fn_token, "`run` must be async: write `async fn run`");
    }
}

fn run_borrows_self(run: &Method, errors: &mut Errors) {
    borrows_self(run, "`run`", &format!("write {RUN}"), errors);
}

fn serves_every_execution(method: &Method, who: &str, errors: &mut Errors) {
    borrows_self(method, who, "one workflow serves every execution, so write `&self`", errors);
}

pub(crate) fn borrows_self(method: &Method, who: &str, cure: &str, errors: &mut Errors) {
    let Some(receiver) = method.signature.receiver() else {
        errors.at(method.name(), format!("{who} takes `&self` first: {cure}"));
        return;
    };
    let shared = match &receiver.kind {
        ReceiverKind::Reference(_, _, mutable) => mutable.is_none(),
        ReceiverKind::Typed(_, ty) => matches!(&**ty, Type::Reference(reference)
            if reference.mutability.is_none() && matches!(&*reference.elem, Type::Path(path) if path.path.is_ident("Self"))),
        _ => false,
    };
    if !shared {
        errors.at(receiver, format!("{who} borrows the workflow: {cure}"));
    }
}

fn run_takes_the_context_and_one_input(run: &Method, errors: &mut Errors) {
    let mut parameters = run.parameters();
    match parameters.next() {
        None => errors.at(run.name(), format!("`run` takes `cx: &Context` behind `&self`: write {RUN}")),
        Some(context) if run.context().is_none() => {
            errors.at(&context.ty, format!("`run` takes `cx: &Context` before its input: write {RUN}"));
        }
        Some(_) => {}
    }
    if let Some(extra) = parameters.nth(1) {
        errors.at(extra, "`run` takes one input: put the values into a struct, or into a tuple");
    }
}

fn run_owns_its_input(run: &Method, errors: &mut Errors) {
    if let Some(input) = run.input().filter(|input| !can_be_input(input)) {
        errors.at(
            input,
            "the input of a workflow is read from the database, so `run` must own it: write a type without `&` and `impl`",
        );
    }
}

/// Whether the type can stand outside the signature it was written in.
pub(crate) fn can_be_input(ty: &Type) -> bool {
    !lifetimes::has_elided(ty) && !has_impl_trait(ty)
}

/// Whether the type can be read back from the database, as far as its tokens tell.
pub(crate) fn can_be_output(ty: &Type) -> bool {
    !lifetimes::has_borrow(ty) && !has_impl_trait(ty)
}

fn run_is_not_generic(run: &Method, errors: &mut Errors) {
    let generics = run.signature.generics.params.iter();
    for parameter in generics.filter(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        errors.at(
            parameter,
            "`run` cannot be generic, because executions are started by name: put the parameter on the impl block",
        );
    }
}

fn returns_something(method: &Method, who: &str, errors: &mut Errors) {
    if matches!(method.signature.output, ReturnType::Default) {
        errors.at(method.name(), format!("{who} returns a `Result`: write `-> Result<()>` behind the parameters"));
    }
}

fn returns_what_it_owns(method: &Method, who: &str, errors: &mut Errors) {
    let ReturnType::Type(_, output) = &method.signature.output else { return };
    if lifetimes::has_borrow(output) {
        errors.at(output, format!("what {who} returns is read back from the database, so it cannot be borrowed: return an owned type, such as `String`"));
    } else if has_impl_trait(output) {
        errors.at(
            output,
            format!("what {who} returns is read back from the database, so its type must have a name: replace `impl …`"),
        );
    }
}

pub(crate) fn is_plain(method: &Method, who: &str, errors: &mut Errors) {
    let signature = &method.signature;
    if !matches!(signature.safety, syn::Safety::Default) {
        errors.at(
            &signature.safety,
            format!("{who} cannot be `unsafe`, because the engine calls it: put the `unsafe` into the body"),
        );
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, format!("{who} cannot be `extern`: remove it"));
    }
}

fn is_async(method: &Method, who: &str, errors: &mut Errors) {
    if method.signature.asyncness.is_none() {
        let name = method.name();
        errors.at(method.signature.fn_token, format!("{who} must be async: write `async fn {name}`"));
    }
}

fn step_has_its_transaction(step: &Step, errors: &mut Errors) {
    let transactions = step.method.parameters().enumerate().filter(|(_, parameter)| model::is_transaction(&parameter.ty));
    let mut found = false;
    for (place, parameter) in transactions {
        found = true;
        if place > 0 {
            errors.at(parameter, "a step is given one transaction, right behind `&self`: write `&self, tx: &mut Transaction, …`");
        } else if !step.transaction {
            errors.at(&parameter.ty, "only a transactional step is given a transaction: write `#[step(transaction)]`");
        }
    }
    if step.transaction && !found {
        errors.at(
            step.method.name(),
            "`transaction` without `tx`: a transactional step takes `tx: &mut Transaction` behind `&self`",
        );
    }
}

fn step_borrows_nothing_mutably(step: &Step, errors: &mut Errors) {
    // Another rule checks transactions.
    for parameter in step.method.parameters().filter(|parameter| !model::is_transaction(&parameter.ty)) {
        let mut mutable = MutableReferences::default();
        mutable.visit_type(&parameter.ty);
        for reference in mutable.found {
            errors.at(
                reference,
                "a step cannot change its arguments, because a replay does not run it: take a value and return the changed one",
            );
        }
    }
}

#[derive(Default)]
struct MutableReferences<'ast> {
    found: Vec<&'ast Type>,
}

impl<'ast> Visit<'ast> for MutableReferences<'ast> {
    fn visit_type(&mut self, ty: &'ast Type) {
        match ty {
            Type::Reference(reference) if reference.mutability.is_some() => self.found.push(ty),
            _ => syn::visit::visit_type(self, ty),
        }
    }

    // `Fn(&mut T)` describes what a callback is given, not what the step holds.
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}
}

pub(crate) fn parameters_are_unconditional(method: &Method, who: &str, errors: &mut Errors) {
    for input in &method.signature.inputs {
        let (FnArg::Receiver(syn::Receiver { attrs, .. }) | FnArg::Typed(syn::PatType { attrs, .. })) = input;
        for attribute in attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            errors.at(attribute, format!("a parameter of {who} cannot depend on a `cfg`: put the attribute on the whole method"));
        }
    }
}

fn step_leaves_our_lifetimes_alone(step: &Step, errors: &mut Errors) {
    for parameter in step.method.signature.generics.lifetimes() {
        if lifetimes::is_ours(&parameter.lifetime) {
            errors.at(&parameter.lifetime, "this lifetime is the macro's own in a step: choose another name");
        }
    }
}

/// Whether the type contains `impl Trait`.
pub(crate) fn has_impl_trait(ty: &Type) -> bool {
    struct Search(bool);
    impl Visit<'_> for Search {
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}

fn retry_delays_can_grow(retry: Option<&Retry>, errors: &mut Errors) {
    if let Some(retry) = retry.filter(|retry| retry.base > retry.max) {
        let place = LitStr::new("", retry.base_or_max);
        errors.at(
            place,
            format!(
                "the first delay (`base`, {:?}) is longer than the longest (`max`, {:?}): swap or change them",
                retry.base, retry.max
            ),
        );
    }
}

fn step_names_differ(workflow: &Workflow, errors: &mut Errors) {
    let steps: Vec<&Step> = workflow.steps().collect();
    for (place, step) in steps.iter().enumerate() {
        let same_name = |earlier: &&&Step| earlier.name.value() == step.name.value();
        // Two steps that exclude each other by `cfg` may well share a name.
        let both_there = |earlier: &&&Step| !(earlier.method.is_conditional() && step.method.is_conditional());
        if steps[..place].iter().filter(same_name).any(|earlier| both_there(&earlier)) {
            errors.at(
                &step.name,
                format!("two steps are named `{}`: their checkpoints could not be told apart", step.name.value()),
            );
        }
    }
}

/// The names of steps or nodes, each with those that it had before: an old name must not be in use.
pub(crate) fn old_names_are_free<'block>(
    names: &mut dyn Iterator<Item = (&'block LitStr, &'block [LitStr])>,
    kind: &str,
    errors: &mut Errors,
) {
    let (current, old): (Vec<&LitStr>, Vec<&[LitStr]>) = names.unzip();
    let mut taken: Vec<String> = current.iter().map(|name| name.value()).collect();
    for old_name in old.into_iter().flatten() {
        let text = old_name.value();
        if taken.contains(&text) {
            errors.at(
                old_name,
                format!("`{text}` already names a {kind}: `was` lists names that no {kind} has any more, each once"),
            );
        }
        taken.push(text);
    }
}
