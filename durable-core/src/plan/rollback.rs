//! What a rollback undoes, and in which order.

use crate::model::Undoable;
use crate::plan::journal_key;

/// A step that can be undone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownCompensation {
    pub(crate) step: &'static str,
    /// Whether it is undone also when it failed or was cut off.
    pub(crate) undo_on_failure: bool,
}

/// The chain of a rollback: first what was cut off and may have left something behind, then what was completed, last first.
/// `Err` with a report when the code no longer knows how to undo something.
pub(crate) fn chain(
    workflow: &str,
    compensations: &[KnownCompensation],
    cut_off: Vec<String>,
    completed: Vec<Undoable>,
) -> Result<Vec<Undoable>, String> {
    let unknown = completed.iter().map(|undoable| undoable.key.as_str());
    let is_unknown = |key: &&str| known(compensations, key).is_none();
    if let Some(key) = unknown.filter(|key| journal_key::step_name(key).is_some()).find(is_unknown) {
        return Err(format!(
            "workflow `{workflow}` does not know how to undo what its journal recorded\n  recorded: {key}, to be undone\n  \
             expected: a step with `compensate = …`\ndeploy the code that has it"
        ));
    }
    let cut_off = may_remain(compensations, cut_off).map(|key| Undoable { key, output: None });
    Ok(cut_off.chain(completed).collect())
}

/// The steps among these that may have left something behind although they did not complete.
pub(crate) fn may_remain(
    compensations: &[KnownCompensation],
    cut_off: impl IntoIterator<Item = String>,
) -> impl Iterator<Item = String> {
    let is_undone = |key: &String| known(compensations, key).is_some_and(|known| known.undo_on_failure);
    cut_off.into_iter().filter(move |key| !key.starts_with(journal_key::UNDO) && is_undone(key))
}

fn known<'all>(compensations: &'all [KnownCompensation], key: &str) -> Option<&'all KnownCompensation> {
    let step = journal_key::step_name(key)?;
    compensations.iter().find(|known| known.step == step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[KnownCompensation] = &[
        KnownCompensation { step: "charge", undo_on_failure: false },
        KnownCompensation { step: "book", undo_on_failure: true },
    ];

    fn undoable(key: &str) -> Undoable {
        Undoable { key: key.to_owned(), output: None }
    }

    #[test]
    fn what_was_cut_off_is_undone_first_if_it_may_have_left_something() {
        let cut_off = vec!["step book#2".to_owned(), "step charge".to_owned(), "undo/step book".to_owned()];
        let chain = chain("trip", KNOWN, cut_off, vec![undoable("join/0/step charge"), undoable("step book")]);
        let keys: Vec<String> = chain.unwrap().into_iter().map(|undoable| undoable.key).collect();
        assert_eq!(keys, ["step book#2", "join/0/step charge", "step book"]);
    }

    #[test]
    fn a_step_that_nobody_can_undo_any_more_is_reported() {
        let report = chain("trip", KNOWN, Vec::new(), vec![undoable("step pay")]).unwrap_err();
        assert!(report.contains("recorded: step pay"), "{report}");
    }
}
