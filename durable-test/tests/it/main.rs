//! The tests of the test kit, which are tests that it makes.

#[cfg(test)]
mod advancing;
#[cfg(test)]
mod asserting;
#[cfg(test)]
mod crashing;
#[cfg(test)]
mod failing;
#[cfg(test)]
mod replacing;
#[cfg(test)]
mod running;
#[cfg(test)]
mod workflows;
