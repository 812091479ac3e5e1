//! What is printed: tables for people, JSON or ids for programs.

use std::fmt::Display;
use std::io::{Stdout, Write};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use durable::chrono::{DateTime, Utc};
use durable::{Delivery, ExecutionId, UpdatedInput, Wait};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::plain;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// One id a line, for `-` of another command
    Ids,
}

/// Something that lists are made of.
pub(crate) trait Row: Serialize {
    /// The headings of the columns.
    const HEADINGS: &'static [&'static str];

    /// The cells.
    fn cells(&self) -> Vec<String>;

    /// What `-o ids` prints.
    fn id(&self) -> String;
}

/// Standard output, in one format.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) format: Format,
    out: Stdout,
}

impl Screen {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, out: std::io::stdout() }
    }

    /// A list.
    pub(crate) fn rows<R: Row>(&mut self, rows: &[R]) -> Result<(), Failure> {
        match self.format {
            Format::Table if rows.is_empty() => self.line("none"),
            Format::Table => self.line(table(R::HEADINGS, rows.iter().map(|row| one_line_each(row.cells())))),
            Format::Json => self.json(&rows),
            Format::Ids => rows.iter().try_for_each(|row| self.line(plain::on_one_line(&row.id()))),
        }
    }

    /// Says on standard error that the list continues, so that no program takes the line for an item.
    pub(crate) fn more(&self, option: &str, cursor: Option<impl Display>) {
        if let Some(cursor) = cursor {
            // If standard error is closed, nothing is lost.
            writeln!(std::io::stderr(), "there are more: {option}={}", plain::as_one_word(&cursor.to_string())).ok();
        }
    }

    /// That something was done to what has that id.
    pub(crate) fn done(&mut self, what: &str, id: impl Display + Serialize) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.line(plain::on_one_line(&format!("{what} {id}"))),
            Format::Json => self.json_line(&json!({ "id": id, "done": what })),
            Format::Ids => self.line(plain::on_one_line(&id.to_string())),
        }
    }

    /// The outcome of a message to an execution: it was `given`, or it is kept. A name that nothing waits for may be mistyped.
    pub(crate) fn delivered(
        &mut self,
        (given, message): (&str, &str),
        id: ExecutionId,
        delivery: &Delivery,
        early: bool,
    ) -> Result<(), Failure> {
        let Delivery::Kept { open } = delivery else { return self.done(given, id) };
        if early {
            return match self.format {
                Format::Json => self.json_line(&json!({ "id": id, "done": "kept for", "open": open })),
                Format::Table | Format::Ids => self.done("kept for", id),
            };
        }
        let open: Vec<String> = open.iter().map(|name| format!("`{name}`")).collect();
        let open = if open.is_empty() { "none now".to_owned() } else { format!("now {}", open.join(", ")) };
        Err(Failure::kept(format!(
            "execution {id} does not wait for {message} (it waits for: {open}); it is kept until it does, or say --early"
        )))
    }

    /// What has changed of an input, and what was before.
    pub(crate) fn updated(&mut self, id: ExecutionId, updated: &UpdatedInput) -> Result<(), Failure> {
        let UpdatedInput { key, due_at, was_due_at, assignee, was_assignee, .. } = updated;
        match self.format {
            Format::Table => {
                let deadline = |at: &Option<DateTime<Utc>>| at.map_or_else(|| "none".to_owned(), time);
                let person = |of: &Option<String>| of.as_deref().map_or_else(|| "none".to_owned(), plain::on_one_line);
                self.line(format!(
                    "updated {key} of {id}: deadline {} (was {}), assignee {} (was {})",
                    deadline(due_at),
                    deadline(was_due_at),
                    person(assignee),
                    person(was_assignee)
                ))
            }
            Format::Json => self.json_line(&json!({
                "id": id, "done": "updated", "key": key,
                "due_at": due_at, "was_due_at": was_due_at, "assignee": assignee, "was_assignee": was_assignee,
            })),
            Format::Ids => self.line(id),
        }
    }

    /// That something was done to an execution, and another came of it.
    pub(crate) fn became(&mut self, what: &str, id: ExecutionId, new: ExecutionId) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.line(format!("{what} {id} as {new}")),
            Format::Json => self.json_line(&json!({ "id": new, "done": what, "forked_from": id })),
            Format::Ids => self.line(new),
        }
    }

    /// A value, over as many lines as it takes.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.line(plain::in_json(&serde_json::to_string_pretty(value)?))
    }

    /// A value on one line, for what comes bit by bit.
    pub(crate) fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.line(plain::in_json(&serde_json::to_string(value)?))
    }

    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{text}")?;
        Ok(self.out.flush()?)
    }
}

/// A table without lines, and without headings if there are none: easy to read, and easy to cut with other programs.
pub(crate) fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !headings.is_empty() {
        table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    }
    table.add_rows(rows.map(|cells| cells.iter().map(|cell| plain::on_lines(cell)).collect::<Vec<_>>()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Cells in which line breaks do not break the table's rows.
pub(crate) fn one_line_each(cells: Vec<String>) -> Vec<String> {
    cells.iter().map(|cell| plain::on_one_line(cell)).collect()
}

/// A time, to the second.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A time that may not have come.
pub(crate) fn maybe_time(at: Option<DateTime<Utc>>) -> String {
    at.map(time).unwrap_or_default()
}

/// How many events a close has taken, which are recorded together.
pub(crate) fn taken(close: &Wait) -> String {
    let recorded = close.payload.as_ref().and_then(|payload| payload.decode::<serde_json::Value>().ok());
    let messages = recorded.as_ref().and_then(|recorded| recorded["messages"].as_array());
    match messages.map_or(0, Vec::len) {
        1 => "took 1 event".to_owned(),
        events => format!("took {events} events"),
    }
}

/// A text on one line, cut so that a table stays readable.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 80;
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST { line } else { line.chars().take(LONGEST).chain(['…']).collect() }
}
