//! A recorder of metrics that keeps everything, to be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, LocalRecorderGuard, Metadata, Recorder,
    SharedString, Unit,
};

/// What one metric is, and what was recorded under each of its sets of labels.
#[derive(Debug, Clone, Default)]
pub(super) struct Metric {
    pub(super) kind: &'static str,
    pub(super) labels: BTreeSet<String>,
    /// Counters as sums, gauges as they were set last, histograms as how often they were fed.
    values: BTreeMap<BTreeMap<String, String>, f64>,
}

impl Metric {
    /// The sum over all sets of labels that have these.
    pub(super) fn sum(&self, labels: &[(&str, &str)]) -> f64 {
        let fits =
            |set: &BTreeMap<String, String>| labels.iter().all(|(name, value)| set.get(*name).is_some_and(|is| is == value));
        self.values.iter().filter(|(set, _)| fits(set)).map(|(_, value)| value).sum()
    }
}

/// The metrics of what runs on one thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    metrics: Arc<Mutex<BTreeMap<String, Metric>>>,
    units: Arc<Mutex<BTreeMap<String, Unit>>>,
}

impl Meter {
    /// Records what is measured on this thread while the guard lives.
    pub(super) fn install(&self) -> LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(self)
    }

    /// Everything that was recorded.
    pub(super) fn all(&self) -> BTreeMap<String, Metric> {
        self.metrics.lock().unwrap().clone()
    }

    /// The unit of each metric that was described.
    pub(super) fn units(&self) -> BTreeMap<String, Unit> {
        self.units.lock().unwrap().clone()
    }

    /// The sum over all sets of labels that have these.
    pub(super) fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics.lock().unwrap().get(metric).map_or(0.0, |metric| metric.sum(labels))
    }

    fn handle(&self, kind: &'static str, key: &Key) -> Arc<Handle> {
        Arc::new(Handle { meter: self.clone(), kind, key: key.clone() })
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>) {
        self.units.lock().unwrap().extend(unit.map(|unit| (name.as_str().to_owned(), unit)));
    }
}

impl Recorder for Meter {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle("counter", key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle("gauge", key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle("histogram", key))
    }
}

/// One metric under one set of labels; it counts as recorded once something is.
struct Handle {
    meter: Meter,
    kind: &'static str,
    key: Key,
}

impl Handle {
    fn change(&self, change: impl FnOnce(&mut f64)) {
        let labels: BTreeMap<String, String> =
            self.key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        let mut metrics = self.meter.metrics.lock().unwrap();
        let metric = metrics.entry(self.key.name().to_owned()).or_default();
        metric.kind = self.kind;
        metric.labels.extend(labels.keys().cloned());
        change(metric.values.entry(labels).or_default());
    }
}

impl CounterFn for Handle {
    fn increment(&self, by: u64) {
        self.change(|value| *value += by as f64);
    }

    fn absolute(&self, to: u64) {
        self.change(|value| *value = to as f64);
    }
}

impl GaugeFn for Handle {
    fn increment(&self, by: f64) {
        self.change(|value| *value += by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| *value -= by);
    }

    fn set(&self, to: f64) {
        self.change(|value| *value = to);
    }
}

impl HistogramFn for Handle {
    fn record(&self, value: f64) {
        assert!(value >= 0.0, "{} of {value} seconds", self.key.name());
        self.change(|count| *count += 1.0);
    }
}
