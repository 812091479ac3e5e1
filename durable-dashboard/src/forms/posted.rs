//! What was typed into a form: the values of its fields by their names.
//!
//! The name of a field is its place: `v/address/city`, `v/items/0`. Beside it, `v/items#` counts the items of a list, `v/place?`
//! says whether something optional is given, and `v/pay:` says which of several shapes was chosen, whose fields are below
//! `v/pay:1`.

use std::collections::BTreeMap;

use crate::visit::Query;

/// Most items that a form shows of a list.
const MOST_ITEMS: usize = 200;

#[derive(Debug, Clone, Default)]
pub(crate) struct Posted(BTreeMap<String, Vec<String>>);

impl Posted {
    pub(super) fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut posted = Self::default();
        for (name, value) in pairs {
            posted.0.entry(name).or_default().push(value);
        }
        posted
    }

    pub(crate) fn read(form: &Query) -> Self {
        // Browsers send a line end as two characters.
        Self::of(form.pairs().iter().map(|(name, value)| (name.clone(), value.replace("\r\n", "\n"))))
    }

    /// What was typed; nothing for a field that was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(|values| values.last()).map_or("", String::as_str)
    }

    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.0.get(name).is_some_and(|values| values.iter().any(|known| known == value))
    }

    /// Whether the form was sent with this field, even an empty one.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), vec![value.into()]);
    }

    pub(super) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.entry(name.into()).or_default().push(value.into());
    }

    /// The number of items of a list.
    pub(super) fn count(&self, list: &str) -> usize {
        self.get(&format!("{list}#")).parse().unwrap_or(0).min(MOST_ITEMS)
    }

    /// Does what the buttons `add` and `remove` ask for; false if none was pressed.
    pub(crate) fn change_lists(&mut self) -> bool {
        if let Some(list) = self.0.remove("add").and_then(|mut lists| lists.pop()) {
            let count = (self.count(&list) + 1).min(MOST_ITEMS);
            self.set(format!("{list}#"), count.to_string());
            return true;
        }
        let Some(item) = self.0.remove("remove").and_then(|mut items| items.pop()) else { return false };
        let Some((list, number)) = item.rsplit_once('/').and_then(|(list, number)| Some((list, number.parse::<usize>().ok()?)))
        else {
            return true;
        };
        let count = self.count(list);
        if number < count {
            self.shift(list, number);
            self.set(format!("{list}#"), (count - 1).to_string());
        }
        true
    }

    /// Removes an item of a list, and moves those after it up.
    fn shift(&mut self, list: &str, removed: usize) {
        let prefix = format!("{list}/");
        let fields = std::mem::take(&mut self.0);
        self.0.extend(fields.into_iter().filter_map(|(name, values)| {
            let Some(inside) = name.strip_prefix(&prefix) else { return Some((name, values)) };
            let end = inside.find(['/', '#', '?', ':']).unwrap_or(inside.len());
            match inside[..end].parse::<usize>() {
                Ok(number) if number == removed => None,
                Ok(number) if number > removed => Some((format!("{prefix}{}{}", number - 1, &inside[end..]), values)),
                _ => Some((name, values)),
            }
        }));
    }
}
