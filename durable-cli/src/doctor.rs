//! `durable doctor`: finds problems, and says how to repair them.

use durable::Finding;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::plain;
use crate::screen::{Format, Row, Screen};

impl Row for Finding {
    const HEADINGS: &'static [&'static str] = &["severity", "about", "problem", "repair"];

    fn cells(&self) -> Vec<String> {
        vec![self.severity.as_str().to_owned(), self.about.as_str().to_owned(), self.problem.clone(), self.repair.clone()]
    }

    fn id(&self) -> String {
        self.about.as_str().to_owned()
    }
}

pub(crate) async fn carry_out(connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let findings = connection.builder()?.examine().await.map_err(Failure::of_connecting)?;
    if findings.is_empty() {
        return match screen.format {
            Format::Table => screen.line("all is well"),
            _ => screen.rows(&findings),
        };
    }
    match screen.format {
        // Over several lines, as what is wrong and what to do take sentences.
        Format::Table => findings.iter().try_for_each(|finding| {
            let (severity, about) = (finding.severity.as_str(), finding.about.as_str());
            screen.line(plain::on_lines(&format!("{severity} ({about}): {}\n  repair: {}", finding.problem, finding.repair)))
        })?,
        _ => screen.rows(&findings)?,
    }
    let what = if findings.len() == 1 { "finding" } else { "findings" };
    Err(Failure::failed(format!("{} {what}", findings.len())))
}
