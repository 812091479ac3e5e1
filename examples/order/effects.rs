//! What steps did to the world outside: a file to which a step's body adds a line each time it begins.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use durable::Result;

/// The file, as the worker named `worker` writes to it.
#[derive(Debug)]
pub(crate) struct Effects {
    path: PathBuf,
    worker: String,
}

/// One beginning of a step's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) worker: String,
    pub(crate) order: String,
    pub(crate) step: String,
}

/// A new, empty file; gone when this is dropped.
#[derive(Debug)]
pub(crate) struct EffectsFile {
    path: PathBuf,
}

impl Effects {
    pub(crate) fn of_worker(worker: &str, path: &Path) -> Self {
        Self { path: path.to_owned(), worker: worker.to_owned() }
    }

    /// Adds a line, in one write, so that lines of concurrent steps do not mix.
    pub(crate) fn note(&self, order: &str, step: &str) -> Result<()> {
        let line = format!("{}\t{order}\t{step}\n", self.worker);
        OpenOptions::new().append(true).open(&self.path)?.write_all(line.as_bytes())?;
        Ok(())
    }
}

impl EffectsFile {
    /// Fails where the file exists already: nobody else may have prepared it.
    pub(crate) fn create(run: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("durable-order-{run}.effects"));
        OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn read(&self) -> Result<Vec<Effect>> {
        let text = fs::read_to_string(&self.path)?;
        let effect = |line: &str| {
            let mut fields = line.split('\t').map(str::to_owned);
            Some(Effect { worker: fields.next()?, order: fields.next()?, step: fields.next()? })
        };
        Ok(text.lines().filter_map(effect).collect())
    }
}

impl Drop for EffectsFile {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}
