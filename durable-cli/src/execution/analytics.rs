//! `durable execution analytics`.

use std::time::Duration;

use durable::{Analytics, NodeAnalytics, Times};
use serde::Serialize;

use super::list::{Filter, filtered};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Format, Row, Screen};

/// A row of the table: a workflow as a whole, or one of its steps and waits.
#[derive(Debug, Serialize)]
struct Line {
    workflow: String,
    cells: [String; 8],
}

impl Row for Line {
    const HEADINGS: &'static [&'static str] =
        &["workflow", "step or wait", "reached", "share", "time to reach", "time to run", "retries", "failures", "ended"];

    fn cells(&self) -> Vec<String> {
        std::iter::once(&self.workflow).chain(&self.cells).cloned().collect()
    }

    fn id(&self) -> String {
        self.workflow.clone()
    }
}

pub(crate) async fn carry_out(filter: &Filter, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    let workflows = filtered(&durable, filter).analytics().await?;
    match screen.format {
        Format::Json => screen.json(&workflows)?,
        Format::Table | Format::Ids => screen.rows(&workflows.iter().flat_map(lines).collect::<Vec<_>>())?,
    }
    Ok(durable.shutdown().await?)
}

fn lines(figures: &Analytics) -> Vec<Line> {
    let states: Vec<String> = figures.states.iter().map(|(state, executions)| format!("{executions} {state}")).collect();
    let all = [
        states.join(", "),
        figures.executions.to_string(),
        String::new(),
        String::new(),
        median(figures.duration),
        String::new(),
        String::new(),
        String::new(),
    ];
    let whole = Line { workflow: figures.workflow.clone(), cells: all };
    std::iter::once(whole).chain(figures.nodes.iter().map(line)).collect()
}

fn line(node: &NodeAnalytics) -> Line {
    let cells = [
        node.node.clone(),
        node.reached.to_string(),
        percent(node.share),
        median(node.time_to_reach),
        median(node.time_to_run),
        node.retries.to_string(),
        format!("{} ({})", node.failures, percent(node.failure_rate)),
        node.ended.to_string(),
    ];
    Line { workflow: String::new(), cells }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn median(times: Times) -> String {
    times.median.map(in_units).unwrap_or_default()
}

fn in_units(median: Duration) -> String {
    match median {
        _ if median < Duration::from_secs(1) => format!("{:.0} ms", median.as_secs_f64() * 1e3),
        _ if median < Duration::from_secs(120) => format!("{:.1} s", median.as_secs_f64()),
        _ if median < Duration::from_secs(2 * 3600) => format!("{:.0} min", median.as_secs_f64() / 60.0),
        _ if median < Duration::from_secs(2 * 86_400) => format!("{:.1} h", median.as_secs_f64() / 3600.0),
        _ => format!("{:.1} days", median.as_secs_f64() / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_units_that_a_person_would_use() {
        let shown = |seconds: f64| in_units(Duration::from_secs_f64(seconds));
        let times = [0.0123, 1.25, 119.0, 120.0, 7_200.0, 200_000.0].map(shown);
        assert_eq!(times, ["12 ms", "1.2 s", "119.0 s", "2 min", "2.0 h", "2.3 days"]);
    }
}
