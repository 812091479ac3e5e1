//! The expansion of a graph raises no warning, however strict its crate is.
#![deny(warnings, missing_docs, unused, clippy::all, clippy::pedantic)]
#![deny(clippy::missing_docs_in_private_items, clippy::allow_attributes, clippy::absolute_paths)]
#![deny(single_use_lifetimes, unused_qualifications, unused_lifetimes, elided_lifetimes_in_paths)]
#![deny(missing_debug_implementations, unreachable_pub)]

use durable::prelude::*;

/// Sends parcels.
#[derive(Debug)]
struct Parcels {
    /// The heaviest parcel that is sent.
    limit: u64,
}

#[workflow(queue = "parcels", timeout = "2h")]
impl Parcels {
    #[input]
    fn contents(&self) -> Vec<String>;

    /// Who gets it.
    #[input(optional)]
    fn address(&self) -> String;

    /// Weighs.
    #[step(retry(max_attempts = 5, backoff = constant), timeout = "250ms")]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn weight(&self, contents: &[String]) -> Result<u64> {
        Ok(contents.iter().map(|thing| thing.len() as u64).sum())
    }

    /// Sends.
    #[step(when = |weight: u64, address: Option<&String>| weight < 10 && address.is_some(), on_failure = skip)]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn sent(&self, weight: u64, address: Given<&str>) -> Result<String> {
        let limit = self.limit;
        Ok(format!("{weight} of {limit} to {}", address.value))
    }

    /// Labels each thing.
    #[step(each(thing in contents), concurrency = 2, delay = "1s")]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn labels(&self, thing: &str, weight: u64, address: Option<&str>) -> Result<String> {
        Ok(format!("{thing} of {weight} to {address:?}"))
    }

    /// Whether it may be heavy.
    #[question(prompt = "May it be heavy?", timeout = "1d", on_failure = skip, when = |weight: u64| weight >= 10)]
    fn heavy(&self, weight: u64, address: Latest<&str>) -> Approval;

    /// Says what became of it.
    #[output]
    #[step(ends)]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn note(
        &self,
        sent: Settled<&str>,
        heavy: Option<&Approval>,
        contents: Latest<Vec<String>>,
        labels: &[String],
    ) -> Result<String> {
        Ok(format!("{:?} {heavy:?} {:?} {labels:?}", sent.ready(), contents.into_option()))
    }
}

/// Takes a workflow's inputs, so that the description is used.
fn takes_inputs_of<W: durable::Workflow>(_inputs: &W::Input) {}

/// The inputs show themselves.
pub(crate) fn main() {
    let inputs = ParcelsInputs { address: Some("Rome".into()), ..ParcelsInputs::default() };
    takes_inputs_of::<Parcels>(&inputs);
    assert_eq!(format!("{inputs:?}"), r#"ParcelsInputs {"address":"Rome"}"#);
    let _ = Parcels { limit: 7 };
}
