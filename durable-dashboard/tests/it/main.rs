//! The dashboard over HTTP, on a real Postgres: what its pages say, and what they refuse.

#[cfg(test)]
mod support;

#[cfg(test)]
mod acting;
#[cfg(test)]
mod answering;
#[cfg(test)]
mod escaping;
#[cfg(test)]
mod guarding;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod living;
#[cfg(test)]
mod mounting;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod showing;
