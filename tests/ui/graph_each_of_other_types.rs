//! The parameters of an `each` step, and of a step that takes its list, have other types than the nodes.
use durable::prelude::*;

struct Library;

#[workflow]
impl Library {
    #[input]
    fn documents(&self) -> Vec<String>;

    #[step(each(document in documents))]
    async fn read(&self, document: &u32) -> Result<usize> {
        let _ = document;
        Ok(0)
    }

    #[step(each(document in documents))]
    async fn open(&self, document: Vec<u8>, read: &usize) -> Result<usize> {
        let _ = document;
        let _ = read;
        Ok(0)
    }

    #[step]
    async fn sum(&self, read: usize) -> Result<usize> {
        let _ = read;
        Ok(0)
    }
}

fn main() {}
