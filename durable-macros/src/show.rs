//! Shows an expansion if the environment asks for it by the name of the type.

use crate::model::Workflow;
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// If this variable is the name of a type, the build prints the expansion of its `#[workflow]`.
const VARIABLE: &str = "DURABLE_MACRO_DEBUG";

/// Prints the expansion on standard error if the variable names this workflow's type.
pub(crate) fn if_asked(workflow: &Workflow, expansion: &TokenStream) {
    let asked = std::env::var(VARIABLE);
    if let (Ok(asked), Some(name)) = (asked, workflow.type_name())
        && name == &asked
    {
        eprintln!("{}", in_lines(expansion.clone(), 0));
    }
}

/// One statement or item per line, indented by its braces: enough to read, without a formatter as a dependency.
fn in_lines(tokens: TokenStream, depth: usize) -> String {
    let new_line = format!("\n{}", "    ".repeat(depth));
    let mut text = String::new();
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => {
                let inner_depth = depth + usize::from(group.delimiter() == Delimiter::Brace);
                let inner = in_lines(group.stream(), inner_depth);
                match group.delimiter() {
                    Delimiter::Brace => text += &format!("{{{new_line}    {}{new_line}}}{new_line}", inner.trim()),
                    Delimiter::Parenthesis => text += &format!("({}) ", inner.trim()),
                    Delimiter::Bracket => text += &format!("[{}] ", inner.trim()),
                    Delimiter::None => text += &inner,
                }
            }
            TokenTree::Punct(mark) => {
                text.push(mark.as_char());
                match mark.as_char() {
                    ';' => text += &new_line,
                    _ if mark.spacing() == Spacing::Alone => text.push(' '),
                    _ => {}
                }
            }
            word => text += &format!("{word} "),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::in_lines;
    use quote::quote;

    #[test]
    fn each_statement_has_its_own_line() {
        let text = in_lines(
            quote!(
                fn one() {
                    let text = "a; b";
                    call(text);
                }
            ),
            0,
        );
        assert_eq!(text.trim(), "fn one () {\n    let text = \"a; b\" ;\n    call (text) ;\n}");
    }
}
