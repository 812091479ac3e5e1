//! The rules of compensations, and of the steps that name them.
//!
//! A trait of the runtime checks whether a compensation's argument is its step's output, because this needs types.

use super::{
    fits_into_a_key, has_impl_trait, is_async, is_plain, parameters_are_unconditional, retry_delays_can_grow, returns_something,
    returns_what_it_owns, serves_every_execution,
};
use crate::errors::Errors;
use crate::lifetimes;
use crate::model::{self, Compensation, Member, Step, Workflow};
use crate::options;
use syn::visit::Visit;
use syn::{GenericParam, Ident, ReturnType, Type};

/// The compensation's name in messages.
const WHO: &str = "a compensation";

/// Applies every rule.
pub(super) fn all(workflow: &Workflow, errors: &mut Errors) {
    for compensation in workflow.compensations() {
        let method = &compensation.method;
        is_async(method, WHO, errors);
        serves_every_execution(method, WHO, errors);
        if takes_no_transaction(compensation, errors) {
            takes_one_output(compensation, errors);
            output_can_be_handed_over(compensation, errors);
        }
        parameters_are_unconditional(method, WHO, errors);
        is_not_generic(compensation, errors);
        returns_something(method, WHO, errors);
        returns_what_it_owns(method, WHO, errors);
        is_plain(method, WHO, errors);
        fits_into_a_key(&compensation.name, "the name of a compensation", errors);
        retry_delays_can_grow(compensation.retry.as_ref(), errors);
    }
    for step in workflow.steps() {
        names_a_compensation(workflow, step, errors);
        undo_on_failure_says_by_what(step, errors);
        compensated_output_is_known(step, errors);
    }
    names_differ(workflow, errors);
    each_is_named(workflow, errors);
}

fn takes_no_transaction(compensation: &Compensation, errors: &mut Errors) -> bool {
    let transaction = compensation.method.parameters().find(|parameter| model::is_transaction(&parameter.ty));
    if let Some(parameter) = transaction {
        errors.at(parameter, "a compensation is given no transaction: begin one on a pool of the workflow's own");
    }
    transaction.is_none()
}

fn takes_one_output(compensation: &Compensation, errors: &mut Errors) {
    let method = &compensation.method;
    let legal = method.parameters().count().min(1 + usize::from(method.context().is_some()));
    for extra in method.parameters().skip(legal) {
        errors.at(extra, "a compensation takes `cx: &Context` first, if at all, and then at most the output of its step");
    }
}

fn output_can_be_handed_over(compensation: &Compensation, errors: &mut Errors) {
    let Some(argument) = compensation.argument() else { return };
    let owned = match &*argument.ty {
        Type::Reference(reference) if reference.mutability.is_none() => &*reference.elem,
        written => written,
    };
    if lifetimes::has_borrow(owned) {
        errors.at(
            &argument.ty,
            "what a compensation takes is read from the database: take the output of its step by value, or by one `&`",
        );
    } else if has_impl_trait(owned) {
        errors.at(
            &argument.ty,
            "what a compensation takes is read from the database, so its type must have a name: replace `impl …`",
        );
    }
}

fn is_not_generic(compensation: &Compensation, errors: &mut Errors) {
    let generics = compensation.method.signature.generics.params.iter();
    for parameter in generics.filter(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        errors
            .at(parameter, "a compensation cannot be generic, because the engine calls it: put the parameter on the impl block");
    }
}

fn names_a_compensation(workflow: &Workflow, step: &Step, errors: &mut Errors) {
    let Some(written) = &step.compensate else { return };
    let is_meant = |member: &&Member| member.name() == Some(written);
    let mut meant = workflow.members.iter().filter(is_meant);
    match meant.find(|member| !matches!(member, Member::Compensation(_))) {
        // The mistake in the method's signature is reported, and whether it is a compensation is not known.
        Some(Member::Unreadable { .. }) => {}
        Some(Member::Step(_)) => errors.at(written, format!("`{written}` is a step: name a method marked `#[compensation]`")),
        Some(_) => errors.at(written, format!("`{written}` is no compensation: mark the method `#[compensation]`")),
        None if workflow.compensations_of(step).next().is_none() => errors.at(written, unknown(workflow, written)),
        None => {}
    }
}

fn unknown(workflow: &Workflow, written: &Ident) -> String {
    let names: Vec<String> = workflow.compensations().map(|compensation| compensation.method.name().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => {
            format!("unknown compensation `{written}`: write a method of that name in this block, and mark it `#[compensation]`")
        }
        _ => format!(
            "unknown compensation `{written}`: this block has {}{}",
            names.join(", "),
            options::did_you_mean(&written.to_string(), &names)
        ),
    }
}

fn undo_on_failure_says_by_what(step: &Step, errors: &mut Errors) {
    if let (Some(option), None) = (&step.undo_on_failure, &step.compensate) {
        errors.at(option, "`undo_on_failure` needs `compensate`: name the compensation that undoes the step");
    }
}

/// A compensation may run in another process, long after the call that knew what `T` was.
fn compensated_output_is_known(step: &Step, errors: &mut Errors) {
    let (Some(_), ReturnType::Type(_, output)) = (&step.compensate, &step.method.signature.output) else { return };
    let parameters = step.method.signature.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(ty) => Some(&ty.ident),
        GenericParam::Const(constant) => Some(&constant.ident),
        GenericParam::Lifetime(_) => None,
    });
    let mut search = Mentions { names: parameters.collect(), found: None };
    search.visit_type(output);
    if let Some(name) = search.found {
        errors.at(
            name,
            format!("a compensation could not know what `{name}` was: a step with `compensate` returns a type without it"),
        );
    }
}

/// Looks for one of several names.
struct Mentions<'ast> {
    names: Vec<&'ast Ident>,
    found: Option<&'ast Ident>,
}

impl<'ast> Visit<'ast> for Mentions<'ast> {
    fn visit_ident(&mut self, ident: &'ast Ident) {
        if self.names.contains(&ident) {
            self.found = Some(ident);
        }
    }
}

fn names_differ(workflow: &Workflow, errors: &mut Errors) {
    let compensations: Vec<&Compensation> = workflow.compensations().collect();
    for (place, compensation) in compensations.iter().enumerate() {
        let name = compensation.name.value();
        let taken = compensations[..place].iter().filter(|earlier| earlier.name.value() == name);
        if taken.into_iter().any(|earlier| !(earlier.method.is_conditional() && compensation.method.is_conditional())) {
            errors.at(&compensation.name, format!("two compensations are named `{name}`: nobody could tell which one ran"));
        }
    }
}

fn each_is_named(workflow: &Workflow, errors: &mut Errors) {
    // Another mistake may well be the reason, and the compiler reports those of the methods that could not be read.
    let another = workflow.members.iter().any(|member| matches!(member, Member::Unreadable { .. }));
    if another || !errors.is_empty() {
        return;
    }
    for compensation in workflow.compensations() {
        let name = compensation.method.name();
        if !workflow.steps().any(|step| step.compensate.as_ref() == Some(name)) {
            errors.at(name, format!("no step names it: write `compensate = {name}` on the step it undoes"));
        }
    }
}
