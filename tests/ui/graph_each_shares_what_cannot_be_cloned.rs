//! Each item's run takes a value that cannot be cloned.
use durable::prelude::*;
use serde::{Deserialize, Serialize};

struct Library;

#[derive(Serialize, Deserialize)]
struct Stamp(u32);

#[workflow]
impl Library {
    #[input]
    fn documents(&self) -> Vec<String>;

    #[input]
    fn stamp(&self) -> Stamp;

    #[step(each(document in documents))]
    async fn read(&self, document: &str, stamp: Stamp) -> Result<usize> {
        Ok(document.len() + stamp.0 as usize)
    }
}

fn main() {}
