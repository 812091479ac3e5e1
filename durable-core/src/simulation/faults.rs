//! What goes wrong in a simulated world: leases are lost, processes crash, and processes shut down.

use super::world::World;
use crate::running::memory::{self, Verdict};
use crate::worker::simulated::Process;

impl World {
    /// A process is declared lost while it goes on; its executions are given to others.
    pub(super) fn lose_lease(&mut self) {
        let nth = self.random.index(self.processes.len());
        let process = self.processes[nth].clone();
        process.lose_lease();
        memory::lock(&self.book).rescue(process.worker_id());
        self.note(&format!("process {nth} is declared lost"));
    }

    /// Processes that were declared lost learn that they were, and continue as new workers.
    pub(super) fn notice_losses(&mut self) {
        for nth in 0..self.processes.len() {
            let process = self.processes[nth].clone();
            if process.is_lost() {
                let next = self.new_worker();
                process.register_anew(next);
                self.note(&format!("process {nth} continues as a new worker"));
            }
        }
    }

    /// A process dies. Operations that were under way may have been carried out, and no answer arrives.
    pub(super) fn crash(&mut self) {
        let nth = self.random.index(self.processes.len());
        let process = self.processes.remove(nth);
        let now = self.now();
        self.note(&format!("process {nth} crashes"));
        self.claims.retain(|(of, ..)| !std::sync::Arc::ptr_eq(of, &process));
        let worker = process.worker_id();
        let mut said = Vec::new();
        let mut book = memory::lock(&self.book);
        while let Some(place) = book.queue.entries.iter().position(|entry| entry.worker() == worker) {
            if self.random.one_in(2) {
                said.extend(book.carry_out(place, Verdict::Commit, now).map(|answer| answer.said));
            } else {
                book.queue.entries.remove(place);
            }
        }
        book.queue.answers.retain(|answer| answer.worker != worker);
        book.rescue(worker);
        drop(book);
        process.crash();
        said.iter().for_each(|said| self.note(&format!("  was carried out: {said}")));
        self.start_process();
    }

    /// A process shuts down: it claims nothing more, and its executions go back to their queue.
    pub(super) fn drain(&mut self) {
        let nth = self.random.index(self.processes.len());
        self.processes[nth].drain();
        self.note(&format!("process {nth} drains"));
    }

    /// Processes that have shut down are replaced.
    pub(super) fn replace_drained(&mut self) {
        let claims = &self.claims;
        let is_done = |process: &std::sync::Arc<super::process::SimulatedProcess>| {
            let waits = claims.iter().any(|(of, ..)| std::sync::Arc::ptr_eq(of, process));
            process.is_draining() && process.holds_nothing() && !waits
        };
        let (done, going_on): (Vec<_>, Vec<_>) = std::mem::take(&mut self.processes).into_iter().partition(is_done);
        self.processes = going_on;
        for process in done {
            // What it holds without knowing is rescued after it has retired.
            memory::lock(&self.book).rescue(process.worker_id());
            self.start_process();
        }
    }
}
