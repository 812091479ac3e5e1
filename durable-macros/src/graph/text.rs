//! Source text for labels: tokens written as a person would, and cut.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Longest label, in characters.
const LONGEST: usize = 48;

/// The tokens on one line, cut.
pub(super) fn of(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write(&mut text, tokens.to_token_stream());
    cut(text.trim())
}

/// The text up to the longest label.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// What the written token was, as far as the space behind it depends on that.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Nothing,
    Word,
    /// A mark that the next token follows at once, such as `.`, `!` and `&` in front of an operand.
    Tight,
    Operator,
    Group,
}

fn write(text: &mut String, tokens: TokenStream) {
    let mut last = Last::Nothing;
    let mut joint = false;
    for tree in tokens {
        last = match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                let call = group.delimiter() != Delimiter::Brace && last != Last::Operator;
                space(text, !call);
                text.push_str(open);
                write(text, group.stream());
                text.push_str(close);
                joint = false;
                Last::Group
            }
            TokenTree::Punct(mark) => {
                let character = mark.as_char();
                let operand_before = matches!(last, Last::Word | Last::Group);
                let kind = match character {
                    '=' if joint && text.ends_with("..") => Last::Tight,
                    '.' | '?' | ',' | ';' | ':' | '\'' => Last::Tight,
                    '!' | '&' | '*' | '-' if !operand_before && !joint => Last::Tight,
                    '!' if mark.spacing() == Spacing::Alone => Last::Tight,
                    _ => Last::Operator,
                };
                let attached = joint || matches!(character, '.' | '?' | ',' | ';' | ':') || last == Last::Tight;
                space(text, !attached && (kind == Last::Operator || !operand_before && character != '\''));
                text.push(character);
                let behind_comma =
                    matches!(character, ',' | ';') || character == ':' && !joint && mark.spacing() == Spacing::Alone;
                joint = mark.spacing() == Spacing::Joint;
                match kind {
                    _ if behind_comma => Last::Operator,
                    Last::Tight if character == '?' => Last::Group,
                    kind => kind,
                }
            }
            word => {
                space(text, matches!(last, Last::Word | Last::Operator | Last::Group) && !text.ends_with(['(', '[']));
                text.push_str(&word.to_string());
                joint = false;
                Last::Word
            }
        };
    }
}

fn space(text: &mut String, wanted: bool) {
    if wanted && !text.is_empty() && !text.ends_with([' ', '(', '[']) {
        text.push(' ');
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn source_text_reads_as_a_person_writes_it() {
        for source in [
            "!approval.approved",
            "order.total(&lines) > 3",
            "Some(name)",
            "a && !b || c",
            "days(30)",
            "Self::limit(x)?",
            "[one, two]",
            "Err(_)",
            "x == -1",
            "Receipt::Shipped { tracking, cents }",
            "0..=9",
        ] {
            let tokens: proc_macro2::TokenStream = source.parse().unwrap();
            assert_eq!(super::of(tokens), source);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = super::of(quote::quote!("äääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää"));
        assert!(text.ends_with('…') && text.chars().count() == super::LONGEST + 1, "{text}");
    }
}
