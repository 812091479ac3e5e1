//! Keeps every metric in memory, as a recorder such as `metrics-exporter-prometheus` does, and prints what was counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use durable::prelude::*;
use metrics::{Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// What was counted, by metric and labels: how often, and for histograms how much in all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics(Arc<Mutex<BTreeMap<String, (u64, f64)>>>);

/// One metric under one set of labels.
struct Handle {
    metrics: Metrics,
    key: String,
}

/// Collects the metrics of this program. An engine that was started before would not be heard.
pub(crate) fn collect() -> Result<Metrics> {
    let metrics = Metrics::default();
    metrics::set_global_recorder(metrics.clone()).map_err(|_| Error::new("another recorder is installed"))?;
    Ok(metrics)
}

impl Metrics {
    pub(crate) fn print(&self) {
        for (key, (count, sum)) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if *sum > 0.0 {
                println!("{count:>4} × {:>8.2} ms  {key}", 1000.0 * sum / *count as f64);
            } else {
                println!("{count:>4}                {key}");
            }
        }
    }

    fn handle(&self, key: &Key) -> Arc<Handle> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Handle { metrics: self.clone(), key: format!("{} {}", key.name(), labels.join(" ")) })
    }
}

impl Handle {
    fn add(&self, times: u64, amount: f64) {
        let mut metrics = self.metrics.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, sum) = metrics.entry(self.key.clone()).or_default();
        *count += times;
        *sum += amount;
    }
}

impl CounterFn for Handle {
    fn increment(&self, by: u64) {
        self.add(by, 0.0);
    }

    fn absolute(&self, to: u64) {
        self.add(to, 0.0);
    }
}

impl HistogramFn for Handle {
    fn record(&self, value: f64) {
        self.add(1, value);
    }
}

impl Recorder for Metrics {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key))
    }

    // What changes all the time is not printed at the end.
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle(key))
    }
}
