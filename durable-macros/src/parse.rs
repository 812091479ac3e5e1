//! Reads an impl block: headers and signatures become syntax, bodies stay the user's tokens.
//!
//! A body is never parsed here, so a typo in it is the compiler's to report, once.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _};
use syn::ext::IdentExt as _;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, Ident, ItemImpl, Signature, Token, Visibility};

/// An impl block in pieces.
pub(crate) struct Block {
    /// Everything before the braces; its own list of items is empty.
    pub(crate) head: ItemImpl,
    pub(crate) items: Vec<Item>,
}

/// One thing inside the braces.
pub(crate) enum Item {
    Method(Box<Method>),
    /// A method whose signature has a mistake.
    Unreadable {
        name: Ident,
        tokens: TokenStream,
        error: syn::Error,
    },
    Other(TokenStream),
}

/// A method with its body unread.
#[derive(Clone)]
pub(crate) struct Method {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// The braces and what they hold, or a semicolon.
    pub(crate) body: TokenTree,
}

impl Parse for Method {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: if input.peek(Token![;]) || input.peek(syn::token::Brace) {
                input.parse()?
            } else {
                return Err(input.error("expected the body of the method"));
            },
        })
    }
}

impl ToTokens for Method {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attributes);
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

/// Splits an inherent impl block into its parts. For anything else the error says where the attribute belongs.
pub(crate) fn block(item: TokenStream) -> syn::Result<Block> {
    let mut head: Vec<TokenTree> = item.into_iter().collect();
    let Some(TokenTree::Group(braces)) = head.pop_if(|last| is_braces(last)) else {
        return Err(not_an_impl_block(&head));
    };
    let mut no_items = Group::new(Delimiter::Brace, TokenStream::new());
    no_items.set_span(braces.span());
    let refusal = not_an_impl_block(&head);
    head.push(no_items.into());
    let head: ItemImpl = syn::parse2(head.into_iter().collect()).map_err(|_| refusal)?;
    if let Some((path, _)) = &head.trait_ {
        return Err(syn::Error::new_spanned(
            path,
            "`#[workflow]` belongs on an inherent impl block: move `run` and the steps to `impl Type { … }`, without a trait",
        ));
    }
    if !matches!(*head.self_ty, syn::Type::Path(_)) {
        return Err(syn::Error::new_spanned(
            &head.self_ty,
            "a workflow is a struct or an enum: write `impl Type { … }` with the name of one",
        ));
    }
    Ok(Block { head, items: items.parse2(braces.stream())? })
}

fn is_braces(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn not_an_impl_block(item: &[TokenTree]) -> syn::Error {
    const KINDS: [&str; 9] = ["struct", "enum", "union", "fn", "trait", "mod", "const", "static", "type"];
    let found = item.iter().find_map(|tree| match tree {
        TokenTree::Ident(word) => KINDS.into_iter().find(|kind| word == kind).map(|kind| (kind, word.span())),
        _ => None,
    });
    let (not, span) = match found {
        Some((kind, span)) => (format!(", not on this `{kind}`"), span),
        None => (String::new(), Span::call_site()),
    };
    syn::Error::new(span, format!("`#[workflow]` belongs on the block that holds `run`: `#[workflow] impl Type {{ … }}`{not}"))
}

fn items(input: ParseStream<'_>) -> syn::Result<Vec<Item>> {
    let mut items = Vec::new();
    while !input.is_empty() {
        items.push(next_item(input)?);
    }
    Ok(items)
}

fn next_item(input: ParseStream<'_>) -> syn::Result<Item> {
    let ahead = input.fork();
    match ahead.parse() {
        Ok(method) => {
            input.advance_to(&ahead);
            Ok(Item::Method(Box::new(method)))
        }
        Err(error) => {
            let tokens = skip_item(input)?;
            Ok(match method_name(tokens.clone()) {
                Some(name) => Item::Unreadable { name, tokens, error },
                None => Item::Other(tokens),
            })
        }
    }
}

/// The tokens up to the end of the item. A constant whose value has braces comes in two parts, which is harmless: all parts are put back in order.
fn skip_item(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() {
        let tree: TokenTree = input.parse()?;
        let last = is_braces(&tree) || matches!(&tree, TokenTree::Punct(mark) if mark.as_char() == ';');
        tokens.append(tree);
        if last {
            break;
        }
    }
    Ok(tokens)
}

fn method_name(tokens: TokenStream) -> Option<Ident> {
    let read = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        while input.peek(Token![async]) || input.peek(Token![const]) || input.peek(Token![unsafe]) {
            input.call(Ident::parse_any)?;
        }
        input.parse::<Token![fn]>()?;
        let name: Ident = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(name)
    };
    read.parse2(tokens).ok()
}
