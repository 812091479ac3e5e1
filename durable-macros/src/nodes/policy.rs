//! What the type of a parameter says: for which states of the other node it waits, and how the value is handed over.

use syn::{GenericArgument, PathArguments, Type, TypeReference};

/// How a parameter takes the value of another node.
pub(crate) struct Taking<'block> {
    pub(crate) wrapper: Wrapper,
    /// The type of the value, as the node sees it.
    inner: &'block Type,
}

/// What is around the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapper {
    Nothing,
    Option,
    Settled,
    Latest,
    Given,
    /// Nothing: the parameter takes an item of a list.
    Item,
}

impl<'block> Taking<'block> {
    /// What the last word of the type says.
    pub(crate) fn of(written: &'block Type) -> Self {
        wrapped(written).unwrap_or(Self { wrapper: Wrapper::Nothing, inner: written })
    }

    /// A parameter that takes an item, whose type says nothing about other nodes.
    pub(crate) fn item(written: &'block Type) -> Self {
        Self { wrapper: Wrapper::Item, inner: written }
    }

    /// The reference that the node sees the value through, if it does not own it.
    pub(crate) fn borrowed(&self) -> Option<&'block TypeReference> {
        match self.inner {
            Type::Reference(reference) => Some(reference),
            _ => None,
        }
    }
}

impl Wrapper {
    /// The policy of the edge, as the runtime spells it.
    pub(crate) fn policy(self) -> &'static str {
        match self {
            Self::Nothing | Self::Given => "Needs",
            Self::Option => "Settled",
            Self::Settled => "SeesFailure",
            Self::Latest => "Latest",
            Self::Item => "Each",
        }
    }

    /// The function of the runtime that reads the value.
    pub(crate) fn reader(self) -> &'static str {
        match self {
            Self::Nothing | Self::Item => "needed",
            Self::Option => "settled",
            Self::Settled => "outcome",
            Self::Latest => "latest",
            Self::Given => "given",
        }
    }
}

/// `Option<T>` and the like, with one type between the brackets.
fn wrapped(written: &Type) -> Option<Taking<'_>> {
    let Type::Path(path) = written else { return None };
    let last = path.path.segments.last()?;
    let wrapper = match last.ident.to_string().as_str() {
        "Option" => Wrapper::Option,
        "Settled" => Wrapper::Settled,
        "Latest" => Wrapper::Latest,
        "Given" => Wrapper::Given,
        _ => return None,
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(Taking { wrapper, inner }),
        _ => None,
    }
}
