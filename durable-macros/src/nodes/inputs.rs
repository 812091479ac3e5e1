//! Writes the type of the inputs that an execution is started with: one optional field for each input.

use super::check;
use super::model::Input;
use crate::expand::conditions;
use crate::model::Workflow;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Ident, Meta, Type};

/// The name of the type: `LoanInputs`.
fn name(workflow: &Workflow) -> Ident {
    match workflow.type_name() {
        Some(name) => format_ident!("{}Inputs", name.unraw(), span = Span::call_site()),
        None => Ident::new("Inputs", Span::call_site()),
    }
}

/// The type, as the description names it.
pub(crate) fn inputs_type(workflow: &Workflow) -> TokenStream {
    name(workflow).into_token_stream()
}

/// The type, with what the engine and clients do with it. Inputs with a mistake are left out.
pub(crate) fn definition(workflow: &Workflow) -> TokenStream {
    let (durable, name) = (&workflow.durable, name(workflow));
    let conditions: Vec<&Attribute> = conditions(&workflow.head.attrs).collect();
    let sound = workflow.inputs().filter(|input| check::is_sound(workflow, input));
    let mut inputs: Vec<(&Input, &Type)> = Vec::new();
    for (input, ty) in sound.filter_map(|input| Some((input, input.value()?))) {
        // A rule refuses two of one name.
        if !inputs.iter().any(|(earlier, _)| earlier.method.name() == input.method.name()) {
            inputs.push((input, ty));
        }
    }
    let documentation = format!("What `{}` is started with. An input that is `None` can be set later.", workflow.name.value());
    let text = name.to_string();
    let fields = inputs.iter().map(|(input, ty)| {
        let (ident, documentation) = (input.method.name(), documentation_of(input));
        quote!(#documentation pub #ident: ::core::option::Option<#ty>,)
    });
    let written = inputs.iter().map(|(input, ty)| {
        let (ident, name) = (input.method.name(), &input.name);
        let add = quote_spanned!(ty.span()=> add::<_, #ty>);
        quote!(#durable::__macro::graph::#add(inputs, #name, self.#ident.as_ref())?;)
    });
    let read = inputs.iter().map(|(input, ty)| {
        let (ident, name, was) = (input.method.name(), &input.name, &input.was);
        // A type that cannot be stored is reported where it was written.
        let take = quote_spanned!(ty.span()=> take::<#ty>);
        quote!(#ident: inputs.#take(#name, &[#(#was),*])?,)
    });
    let inputs_used = if inputs.is_empty() { quote!(_) } else { quote!(inputs) };
    quote! {
        #(#conditions)*
        #[doc = #documentation]
        #[derive(::core::default::Default)]
        #[allow(private_interfaces, unreachable_pub)]
        pub struct #name { #(#fields)* }

        #(#conditions)*
        impl #durable::__macro::graph::Inputs for #name {
            const NAME: &'static str = #text;

            fn write<M: #durable::__macro::graph::serde::ser::SerializeMap>(
                &self,
                #inputs_used: &mut M,
            ) -> ::core::result::Result<(), M::Error> {
                #(#written)*
                ::core::result::Result::Ok(())
            }

            fn read(#inputs_used: &mut #durable::__macro::graph::GivenInputs) -> #durable::__macro::Result<Self> {
                ::core::result::Result::Ok(Self { #(#read)* })
            }
        }

        #(#conditions)*
        impl #durable::__macro::graph::serde::Serialize for #name {
            fn serialize<S: #durable::__macro::graph::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                #durable::__macro::graph::serialize(self, serializer)
            }
        }

        #(#conditions)*
        impl<'de> #durable::__macro::graph::serde::Deserialize<'de> for #name {
            fn deserialize<D: #durable::__macro::graph::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                #durable::__macro::graph::deserialize(deserializer)
            }
        }

        #(#conditions)*
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #durable::__macro::graph::show(self, f)
            }
        }
    }
}

/// What the user wrote above the input, or else its name.
fn documentation_of(input: &Input) -> TokenStream {
    let is_documentation = |attribute: &&Attribute| matches!(&attribute.meta, Meta::NameValue(pair) if pair.path.is_ident("doc"));
    let mut written = input.method.attributes.iter().filter(is_documentation).peekable();
    if written.peek().is_some() {
        return quote!(#(#written)*);
    }
    let text = format!("The input `{}`.", input.name.value());
    quote!(#[doc = #text])
}
