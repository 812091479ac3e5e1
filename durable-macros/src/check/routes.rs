//! The rules of steps that run in another queue: their arguments travel there as JSON.
//!
//! A trait of the runtime checks whether an argument can be written and read, because this needs types.

use super::{has_impl_trait, queue_has_a_name};
use crate::errors::Errors;
use crate::lifetimes;
use crate::model::{self, Step, Workflow};
use syn::{GenericParam, Type};

/// Applies every rule.
pub(super) fn all(workflow: &Workflow, errors: &mut Errors) {
    for step in workflow.steps() {
        let Some(queue) = &step.queue else { continue };
        queue_has_a_name(queue, "leave the option out for the queue of the workflow", errors);
        is_not_generic(step, errors);
        arguments_can_be_sent(step, errors);
    }
}

fn is_not_generic(step: &Step, errors: &mut Errors) {
    let generics = step.method.signature.generics.params.iter();
    for parameter in generics.filter(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        errors.at(
            parameter,
            "a step in another queue cannot be generic, because the worker that runs it finds it by name: put the parameter on the \
             impl block, or remove `queue`",
        );
    }
}

fn arguments_can_be_sent(step: &Step, errors: &mut Errors) {
    for argument in step.method.parameters().filter(|parameter| !model::is_transaction(&parameter.ty)) {
        let (owned, lifetime) = match &*argument.ty {
            Type::Reference(reference) => (&*reference.elem, reference.lifetime.as_ref()),
            written => (written, None),
        };
        if let Some(lifetime) = lifetime.filter(|lifetime| lifetime.ident == "static") {
            errors.at(
                lifetime,
                "what a step in another queue takes is read from the database there, and lives as long as the step: remove `'static`",
            );
        }
        if lifetimes::has_borrow(owned) {
            errors.at(
                &argument.ty,
                "what a step in another queue takes is read from the database there: take it by value, or by one `&`",
            );
        } else if has_impl_trait(owned) {
            errors.at(
                &argument.ty,
                "what a step in another queue takes is read from the database there, so its type must have a name: replace `impl …`",
            );
        }
    }
}
