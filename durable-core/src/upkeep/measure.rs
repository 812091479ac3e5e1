//! Reads the gauges of the database for the metrics of this process, if it was asked to. Every process reads the same values.

use std::collections::HashMap;
use std::time::Duration;

use metrics::Gauge;

use crate::store::{Store, doctor};
use crate::telemetry;

/// Which gauge, of what, in which state.
type Label = (String, Option<String>, Option<String>);

pub(crate) async fn measure(store: Store, interval: Duration) {
    let mut gauges: HashMap<Label, Gauge> = HashMap::new();
    loop {
        match doctor::measure(&store, &store.pool).await {
            Ok(measured) => {
                let mut empty = gauges.clone();
                for doctor::Measured { measure, name, state, value } in measured {
                    let label = (measure, name, state);
                    empty.remove(&label);
                    let known = gauges.get(&label).cloned();
                    let (measure, name, state) = &label;
                    let Some(gauge) = known.or_else(|| telemetry::database_gauge(measure, name.as_deref(), state.as_deref()))
                    else {
                        continue;
                    };
                    gauge.set(value);
                    gauges.insert(label, gauge);
                }
                // Of a queue in which there is nothing, the database says nothing.
                empty.values().for_each(|gauge| gauge.set(0.0));
            }
            Err(error) => tracing::debug!(%error, "cannot read the gauges of the database; trying again after the interval"),
        }
        tokio::time::sleep(interval).await;
    }
}
