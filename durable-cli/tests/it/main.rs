//! The program itself, on a real Postgres: what it prints, and how it ends.

#[cfg(test)]
mod support;

#[cfg(test)]
mod answering;
#[cfg(test)]
mod connecting;
#[cfg(test)]
mod drawing;
#[cfg(test)]
mod escaping;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod measuring;
#[cfg(test)]
mod migrating;
#[cfg(test)]
mod repairing;
#[cfg(test)]
mod scheduling;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod showing;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod tidying;
