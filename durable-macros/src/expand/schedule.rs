//! Writes what the engine knows about a workflow's schedule.

use super::{duration, option};
use crate::model::Workflow;
use crate::schedule::{Missed, Schedule};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;

/// The constant that describes the schedule; nothing for a workflow without one.
pub(super) fn constant(workflow: &Workflow, input: &TokenStream) -> Option<TokenStream> {
    let Workflow { durable, schedule, .. } = workflow;
    let Schedule { rule, timezone, missed, overlap, jitter, max_failures } = schedule.as_ref()?;
    let timezone = timezone.as_ref().map_or_else(|| quote!("UTC"), ToTokens::to_token_stream);
    let missed = match missed {
        Missed::Policy(name) => Ident::new(name, Span::call_site()).into_token_stream(),
        Missed::Window(window) => {
            let window = duration(*window);
            quote!(Window(#window))
        }
    };
    let (overlap, jitter) = (Ident::new(overlap, Span::call_site()), duration(*jitter));
    let max_failures = option(max_failures.map(|failures| Literal::u32_unsuffixed(failures).into_token_stream()));
    // An input without a default is reported at its type.
    let input = quote_spanned!(input.span()=> <#input as #durable::__macro::ScheduledInput>::scheduled);
    Some(quote! {
        const SCHEDULE: ::core::option::Option<#durable::__macro::ScheduleSpec<Self::Input>> =
            ::core::option::Option::Some(#durable::__macro::ScheduleSpec {
                rule: #rule,
                timezone: #timezone,
                jitter: #jitter,
                missed: #durable::__macro::Missed::#missed,
                overlap: #durable::__macro::Overlap::#overlap,
                max_failures: #max_failures,
                input: #input,
            });
    })
}
