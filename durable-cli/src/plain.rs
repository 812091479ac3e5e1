//! Makes text safe for a terminal: characters that move the cursor, change colours or reverse the direction of text are shown
//! as escapes.

/// The text on one line: line breaks are shown as escapes, too.
pub(crate) fn on_one_line(text: &str) -> String {
    escaped(text, |_| false)
}

/// The text with its line breaks.
pub(crate) fn on_lines(text: &str) -> String {
    escaped(text, |letter| letter == '\n')
}

/// JSON with the same values: those characters occur only inside its strings, where an escape has the same meaning.
pub(crate) fn in_json(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_disturbing(letter) && letter != '\n' {
            // None of them is beyond the basic plane.
            plain.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            plain.push(letter);
        }
    }
    plain
}

/// The text as an argument of a shell command.
pub(crate) fn as_one_word(text: &str) -> String {
    let needs_no_quotes = |letter: char| letter.is_ascii_alphanumeric() || "-_.:+@/".contains(letter);
    if !text.is_empty() && text.chars().all(needs_no_quotes) {
        return text.to_owned();
    }
    format!("'{}'", on_one_line(text).replace('\'', r"'\''"))
}

fn escaped(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_disturbing(letter) && !keeps(letter) {
            plain.extend(letter.escape_default());
        } else {
            plain.push(letter);
        }
    }
    plain
}

/// Control characters, line separators, and characters that change the direction of text.
fn is_disturbing(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_values_and_loses_what_a_terminal_would_obey() {
        let value = serde_json::json!({ "prompt": "a\u{9b}2J\u{202e}b\nc" });
        let plain = in_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(plain.contains(r"a\u009b2J\u202eb\nc"), "{plain}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).unwrap(), value);
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, plain) in [
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\u{1b}[31mred", r"\u{1b}[31mred"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("\u{7f}\u{0}", r"\u{7f}\u{0}"),
            ("abc\u{202e}def\u{2066}", r"abc\u{202e}def\u{2066}"),
            ("Zoë \"Ω\" \\ 👩‍👧", "Zoë \"Ω\" \\ 👩‍👧"),
        ] {
            assert_eq!(on_one_line(text), plain);
        }
        assert_eq!(on_lines("a\nb\u{7}"), "a\nb\\u{7}");
    }

    #[test]
    fn a_cursor_can_be_given_back_to_a_shell() {
        for (text, word) in [("nightly", "nightly"), ("report for sales", "'report for sales'"), ("it's", r"'it'\''s'")] {
            assert_eq!(as_one_word(text), word);
        }
    }
}
