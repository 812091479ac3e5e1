//! How texts, values, times and numbers look on pages: exact, escaped, and without characters that hide others.

use std::fmt::{self, Write};

use askama::Template;
use askama::filters::Escaper;
use durable::chrono::{DateTime, SecondsFormat, Utc};

/// Most bytes of a value on a page; the rest is behind a link.
const SHOWN: usize = 8 * 1024;

/// Most bytes of a value that is shown without being opened.
const SHORT: usize = 100;

/// Escapes HTML, and shows characters that would turn or hide the text around them as `\u202e`. In JSON, that is the same text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            c if is_hidden(c) => write!(dest, "\\u{:04x}", u32::from(c)),
            c => write_html(&mut dest, c),
        })
    }
}

/// Whether a character is not seen itself, but changes how others are: a control, or a mark of the direction of writing.
fn is_hidden(c: char) -> bool {
    let is_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_direction || c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

fn write_html(dest: &mut impl Write, c: char) -> fmt::Result {
    match c {
        '&' => dest.write_str("&amp;"),
        '<' => dest.write_str("&lt;"),
        '>' => dest.write_str("&gt;"),
        '"' => dest.write_str("&quot;"),
        '\'' => dest.write_str("&#39;"),
        c => dest.write_char(c),
    }
}

/// HTML of a text exactly as it is: for what a form sends back.
pub(crate) fn exact(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        // A `String` takes everything.
        write_html(&mut html, c).ok();
    }
    html
}

/// A JSON value on a page.
#[derive(Debug, Template)]
#[template(
    source = r#"{% if short %}<code class="value" dir="ltr">{{ text }}</code>{% else %}<details><summary><code class="value" dir="ltr">{{ preview }}…</code></summary><pre dir="ltr">{{ text }}</pre>{% if is_cut %}<p class="quiet">Only the beginning is shown.{% if let Some(href) = href %} <a href="{{ href }}">All of it</a>{% endif %}</p>{% endif %}</details>{% endif %}"#,
    ext = "html"
)]
pub(crate) struct Value {
    text: String,
    preview: String,
    short: bool,
    is_cut: bool,
    href: Option<String>,
}

impl Value {
    /// The text of a JSON value, as it is stored; `href` has all of it.
    pub(crate) fn new(json: &str, href: Option<String>) -> Self {
        if json.len() <= SHORT {
            return Self { text: json.to_owned(), preview: String::new(), short: true, is_cut: false, href };
        }
        let shown = cut(json, SHOWN);
        Self { text: indented(shown), preview: cut(json, SHORT).to_owned(), short: false, is_cut: shown.len() < json.len(), href }
    }
}

impl Value {
    /// HTML of a text that is no JSON.
    pub(crate) fn plain(text: &str) -> String {
        let mut html = String::new();
        // A `String` takes everything.
        Visible.write_escaped_str(&mut html, text).ok();
        format!("<bdi>{html}</bdi>")
    }
}

/// The beginning of a text.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// JSON with one member on a line. Numbers and texts stay as they are written.
fn indented(json: &str) -> String {
    let (mut out, mut depth, mut in_text, mut is_escaped) = (String::with_capacity(json.len() * 2), 0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth.min(40)));
    };
    let mut letters = json.chars().peekable();
    while let Some(c) = letters.next() {
        if in_text {
            out.push(c);
            in_text = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            ' ' | '\n' | '\r' | '\t' => {}
            '"' => {
                in_text = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if !matches!(letters.peek(), Some('}' | ']')) {
                    depth += 1;
                    line(&mut out, depth);
                } else if let Some(end) = letters.next() {
                    out.push(end);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}

/// HTML of a time, in UTC.
pub(crate) fn time(at: &DateTime<Utc>) -> String {
    let exact = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    format!("<time datetime=\"{exact}\" title=\"{exact}\">{}</time>", at.format("%Y-%m-%d %H:%M:%S"))
}

/// HTML of a time, or nothing.
pub(crate) fn maybe_time(at: &Option<DateTime<Utc>>) -> String {
    at.as_ref().map(time).unwrap_or_default()
}

/// The time by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "only to say how long something has taken so far, which decides nothing")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A length of time in two figures or so: `1.2 s`, `4 min 10 s`, `3 d 2 h`.
pub(crate) fn length(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let millis = (to - from).num_milliseconds().max(0);
    let pair = |unit: i64, name: &str, below: i64, small: &str| {
        let (whole, rest) = (millis / unit, millis % unit / below);
        if rest == 0 { format!("{whole} {name}") } else { format!("{whole} {name} {rest} {small}") }
    };
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => pair(60_000, "min", 1_000, "s"),
        3_600_000..86_400_000 => pair(3_600_000, "h", 60_000, "min"),
        _ => pair(86_400_000, "d", 3_600_000, "h"),
    }
}

/// A number with its thousands apart.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// A word that a shell reads as it is, in quotes if it needs them.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(text: &str) -> String {
        let mut html = String::new();
        Visible.write_escaped_str(&mut html, text).unwrap();
        html
    }

    #[test]
    fn what_a_browser_would_obey_is_escaped() {
        assert_eq!(visible("</script><img src=x onerror='1'>"), "&lt;/script&gt;&lt;img src=x onerror=&#39;1&#39;&gt;");
        assert_eq!(visible("abc\u{202e}def\u{2066}\u{0}"), r"abc\u202edef\u2066\u0000");
        assert_eq!(visible("e\u{301} 👩‍👧\n"), "e\u{301} 👩‍👧\n");
        assert_eq!(exact("\u{202e}<"), "\u{202e}&lt;");
    }

    #[test]
    fn json_is_indented_and_not_changed() {
        let json = r#"{"n":9007199254740993,"f":1.10,"t":"a \"{,}\\","e":[],"o":{ },"l":[1,2]}"#;
        let lines = indented(json);
        assert_eq!(
            lines,
            "{\n  \"n\": 9007199254740993,\n  \"f\": 1.10,\n  \"t\": \"a \\\"{,}\\\\\",\n  \"e\": [],\n  \"o\": {},\n  \"l\": [\n    1,\n    2\n  ]\n}"
        );
    }

    #[test]
    fn a_length_has_the_two_largest_units() {
        let from = DateTime::UNIX_EPOCH;
        let of = |millis| length(from, from + durable::chrono::TimeDelta::milliseconds(millis));
        for (millis, text) in [
            (-5, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (250_000, "4 min 10 s"),
            (3_600_000, "1 h"),
            (266_400_000, "3 d 2 h"),
        ] {
            assert_eq!(of(millis), text);
        }
        assert_eq!(number(1_234_567), "1\u{a0}234\u{a0}567");
    }
}
