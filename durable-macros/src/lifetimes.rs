//! Names the lifetimes that a step's parameters leave out, because the future a step returns must outlive none of them.

use proc_macro2::Span;
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{Lifetime, Type, TypeParamBound, parse_quote};

/// How long the future of a step may live.
pub(crate) fn of_step() -> Lifetime {
    Lifetime::new("'step", Span::call_site())
}

/// The lifetime of what borrows nothing.
pub(crate) fn of_all() -> Lifetime {
    Lifetime::new("'static", Span::call_site())
}

/// Whether the macro uses this name itself: `'step`, `'l0`, `'l1`, …
pub(crate) fn is_ours(lifetime: &Lifetime) -> bool {
    let name = lifetime.ident.to_string();
    let number = name.strip_prefix('l').unwrap_or_default();
    name == "step" || (!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Gives a name to each lifetime it meets that has none.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) given: Vec<Lifetime>,
}

impl Names {
    pub(crate) fn next(&mut self) -> Lifetime {
        let name = Lifetime::new(&format!("'l{}", self.given.len()), Span::call_site());
        self.given.push(name.clone());
        name
    }
}

impl VisitMut for Names {
    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(self.next());
        }
        visit_mut::visit_type_reference_mut(self, reference);
        // `&impl Trait + 'step` would be read as `(&impl Trait) + 'step`.
        if let Type::ImplTrait(_) = &*reference.elem {
            let elem = &reference.elem;
            *reference.elem = parse_quote!((#elem));
        }
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.next();
        }
    }

    fn visit_type_impl_trait_mut(&mut self, opaque: &mut syn::TypeImplTrait) {
        visit_mut::visit_type_impl_trait_mut(self, opaque);
        opaque.bounds.push(TypeParamBound::Lifetime(of_step()));
    }

    // Inside `fn(&T)` and `Fn(&T)` a missing lifetime means "any", and must stay missing.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut syn::ParenthesizedGenericArguments) {}
}

/// Whether a type leaves out a lifetime, so that it cannot stand outside its signature.
pub(crate) fn has_elided(ty: &Type) -> bool {
    Lifetimes::of(ty).elided
}

/// Whether a type borrows: a reference, or a lifetime other than `'static`.
pub(crate) fn has_borrow(ty: &Type) -> bool {
    let lifetimes = Lifetimes::of(ty);
    lifetimes.reference || lifetimes.elided || lifetimes.named
}

/// Whether a type has an `impl Trait` in it.
pub(crate) fn has_opaque(ty: &Type) -> bool {
    struct Opaque(bool);
    impl Visit<'_> for Opaque {
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut opaque = Opaque(false);
    opaque.visit_type(ty);
    opaque.0
}

/// What was seen of lifetimes in a type, other than inside `fn(&T)` and `Fn(&T)`.
#[derive(Default)]
struct Lifetimes {
    elided: bool,
    named: bool,
    reference: bool,
}

impl Lifetimes {
    fn of(ty: &Type) -> Self {
        let mut lifetimes = Self::default();
        lifetimes.visit_type(ty);
        lifetimes
    }
}

impl Visit<'_> for Lifetimes {
    fn visit_type_reference(&mut self, reference: &syn::TypeReference) {
        self.reference = true;
        self.elided |= reference.lifetime.is_none();
        syn::visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        self.elided |= lifetime.ident == "_";
        self.named |= lifetime.ident != "_" && lifetime.ident != "static";
    }

    fn visit_type_fn_ptr(&mut self, _: &syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &syn::ParenthesizedGenericArguments) {}
}
