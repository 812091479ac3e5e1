//! What a graph may look like: inputs, policies, conditions, helpers beside nodes, fields, a generic parameter.
use durable::prelude::*;
use serde::{Deserialize, Serialize};

/// It is no `Clone`, so a retried step takes it by reference.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Person {
    name: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Offer(u32);

struct Loan {
    limit: u32,
}

#[workflow(queue = "loans", tags(lender = |inputs: &LoanInputs| inputs.lender.clone().unwrap_or_default()))]
impl Loan {
    /// Who wants the money.
    #[input]
    fn applicant(&self) -> Person;

    #[input(optional)]
    fn guarantor(&self) -> Person;

    #[input(name = "bank", was = "lender", optional)]
    fn lender(&self) -> String;

    #[input]
    fn documents(&self) -> Vec<String>;

    #[input]
    fn r#type(&self) -> Option<u8>;

    #[step(retry(max_attempts = 3), timeout = "30s")]
    async fn score(&self, applicant: &Person, guarantor: Option<&Person>, documents: &[String]) -> Result<u32> {
        Ok(applicant.name.len() as u32 + guarantor.map_or(0, |person| person.name.len() as u32) + documents.len() as u32)
    }

    #[step(when = |score: &u32, guarantor: Option<&Person>| *score >= 7 || guarantor.is_some(), compensate = withdraw)]
    async fn offer(&self, score: u32) -> Result<Offer> {
        Ok(self.capped(score))
    }

    #[compensation]
    async fn withdraw(&self, offer: Offer) -> Result<u32> {
        Ok(offer.0)
    }

    #[step(on_failure = skip, when = |lender: Latest<&String>| -> bool { lender.is_some() })]
    async fn branch(&self, lender: Latest<&str>, r#type: &Option<u8>) -> std::result::Result<String, Error> {
        Ok(format!("{:?} {:?}", lender.into_option(), r#type))
    }

    #[step(queue = "printers", transaction)]
    async fn print(&self, tx: &mut Transaction, offer: Settled<Offer>, branch: Given<String>) -> Result<bool> {
        let _ = tx;
        Ok(offer.is_ready() && branch.metadata.is_none())
    }

    #[step(each(document in documents), concurrency = 2, delay = "1h", retry(max_attempts = 2), compensate = tear)]
    async fn copies(&self, lender: Latest<&str>, document: &str, score: u32, offer: Option<Offer>) -> Result<Vec<String>> {
        let copies = score.min(2) + offer.map_or(0, |offer| offer.0.min(1)) + lender.is_some() as u32;
        Ok(vec![document.to_owned(); copies as usize])
    }

    #[compensation]
    async fn tear(&self, copies: Vec<String>) -> Result<usize> {
        Ok(copies.len())
    }

    #[step(each(r#in in copies), when = |copies: Option<&[Vec<String>]>| copies.is_some())]
    async fn bound(&self, mut r#in: Vec<String>, copies: Settled<&[Vec<String>]>) -> Result<usize> {
        r#in.sort();
        Ok(r#in.len() + copies.ready().map_or(0, <[_]>::len))
    }

    #[output]
    #[step(ends)]
    async fn letter<'life>(
        &self,
        offer: Option<&'life Offer>,
        branch: Settled<&'life str>,
        applicant: Given<&Person>,
        mut documents: Vec<String>,
        guarantor: Latest<Person>,
        lender: Option<&str>,
    ) -> Result<String> {
        documents.push(applicant.name.clone());
        documents.extend(guarantor.into_option().map(|person| person.name));
        documents.extend(lender.map(str::to_owned));
        let offered = offer.map_or(0, |offer| offer.0);
        Ok(format!("{offered} {documents:?} {:?}", branch.ready()))
    }

    #[step(when = |letter: &str| { letter.len() > 3 })]
    async fn send(&self, letter: Latest<String>) -> Result<()> {
        let _ = letter;
        Ok(())
    }

    fn capped(&self, score: u32) -> Offer {
        Offer(score.min(self.limit))
    }
}

pub trait Shop: Send + Sync + 'static {
    fn price(&self) -> u64;
}

pub struct Quote<S>(S);

/// No input: its first step starts by itself. The parameter of the type stands in no input.
#[durable::workflow(name = "quote")]
impl<S: Shop> Quote<S> {
    #[durable::step]
    async fn price(&self) -> Result<u64> {
        Ok(self.0.price())
    }

    #[durable::step]
    async fn twice(&self, price: &u64) -> Result<u64> {
        Ok(2 * price)
    }
}

struct Fixed;

impl Shop for Fixed {
    fn price(&self) -> u64 {
        7
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Counted;

struct Counter;

#[workflow(open, schedule = "@daily")]
impl Counter {
    #[input]
    pub fn count(&self) -> u64;

    #[step]
    async fn next(&self, count: u64) -> Result<u64> {
        Ok(count + 1)
    }
}

fn nodes<W: durable::Workflow>() -> (usize, bool) {
    let graph = W::GRAPH.unwrap();
    (graph.nodes.len(), graph.open)
}

fn main() {
    assert_eq!(nodes::<Loan>(), (13, false));
    assert_eq!(nodes::<Quote<Fixed>>(), (2, false));
    assert_eq!(nodes::<Counter>(), (2, true));

    let inputs = LoanInputs { applicant: Some(Person { name: "Ada".into() }), r#type: Some(None), ..LoanInputs::default() };
    assert_eq!(serde_json::to_string(&inputs).unwrap(), r#"{"applicant":{"name":"Ada"},"type":null}"#);
    assert_eq!(format!("{inputs:?}"), r#"LoanInputs {"applicant":{"name":"Ada"},"type":null}"#);
    let old: LoanInputs = serde_json::from_str(r#"{"lender":"Rot","type":null}"#).unwrap();
    assert_eq!((old.lender.as_deref(), old.r#type, old.applicant), (Some("Rot"), Some(None), None));
    let _: QuoteInputs = serde_json::from_str("null").unwrap();
    let _: (<Quote<Fixed> as durable::Workflow>::Input, Counted) = (QuoteInputs {}, Counted);
}
