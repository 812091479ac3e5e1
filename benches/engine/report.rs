//! The table for people, and `bench.json` for programs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use durable::Result;
use serde::Serialize;

use crate::latencies::Latencies;
use crate::meter::Throughput;
use crate::workloads::{
    answering, backlog, claims, early, enqueueing, flows, graphs, idle, limits, listing, looping, mapping, notices, parking,
    replaying, resuming, scheduling, sharing, snapshots, starting, throughput, waking, watching,
};

/// What `bench.json` says; a workload that was not run is left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) w1: Option<throughput::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) w2: Option<throughput::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) w3: Option<starting::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) w4: Option<waking::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) w5: Option<parking::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enqueue: Option<enqueueing::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flows: Option<flows::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) g4: Option<mapping::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resume: Option<resuming::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<answering::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<claims::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) early: Option<early::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedules: Option<scheduling::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notices: Option<notices::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sharing: Option<Vec<sharing::Shared>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<limits::Figures>,
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    pub(crate) looping: Option<looping::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshots: Option<snapshots::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backlog: Option<Vec<backlog::Memory>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lists: Option<listing::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle: Option<idle::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logs: Option<throughput::WithLogs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replay: Option<replaying::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) watch: Option<watching::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) g1: Option<graphs::Ratios>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) g2: Option<graphs::Thousand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) g3: Option<graphs::Changes>,
}

impl Report {
    pub(crate) fn write(&self) -> Result<()> {
        let folder = target_folder();
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("bench.json"), serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }
}

fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// The columns, after the name of the row. Costs are for each item, times in milliseconds.
const COLUMNS: [&str; 11] = [
    "rate /s",
    "floor /s",
    "of floor",
    "statements",
    "transact.",
    "WAL bytes",
    "worker µs",
    "Postgr. µs",
    "p50 ms",
    "p95 ms",
    "p99 ms",
];

/// Rows in the order they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<(String, [String; COLUMNS.len()])>,
    notes: Vec<String>,
}

impl Table {
    /// A row of costs, beside the rate of what it is compared with.
    pub(crate) fn throughput(&mut self, name: &str, measured: &Throughput, floor: Option<&Throughput>) {
        let mut cells: [String; COLUMNS.len()] = Default::default();
        cells[0] = format!("{:.0}", measured.rate);
        if let Some(floor) = floor {
            cells[1] = format!("{:.0}", floor.rate);
            cells[2] = format!("{:.2}", measured.rate / floor.rate);
        }
        cells[3] = format!("{:.4}", measured.statements);
        cells[4] = format!("{:.4}", measured.transactions);
        cells[5] = format!("{:.0}", measured.wal_bytes);
        cells[6] = format!("{:.1}", measured.worker_cpu_us);
        cells[7] = format!("{:.1}", measured.postgres_cpu_us);
        self.rows.push((name.to_owned(), cells));
    }

    /// A row of times, beside a commit of one row: how many of those it takes.
    pub(crate) fn latency(&mut self, name: &str, measured: &Latencies, commits: Option<&Latencies>) {
        let mut cells: [String; COLUMNS.len()] = Default::default();
        if let Some(commits) = commits {
            cells[2] = format!("{:.2} ×", measured.p50() / commits.p50());
        }
        cells[8] = format!("{:.2}", measured.p50());
        cells[9] = format!("{:.2}", measured.p95());
        cells[10] = format!("{:.2}", measured.p99());
        self.rows.push((name.to_owned(), cells));
    }

    /// A line below the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(crate) fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let widest = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let mut line = |name: &str, cells: &[String]| -> io::Result<()> {
            let cells: String = cells.iter().map(|cell| format!(" {cell:>10}")).collect();
            writeln!(out, "{name:widest$}{cells}")
        };
        line("", &COLUMNS.map(str::to_owned))?;
        for (name, cells) in &self.rows {
            line(name, cells)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "{note}"))
    }
}
