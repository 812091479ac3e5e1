//! The wakers of one scope, and how it is known that code outside the engine holds one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

/// The wakers of one scope. The counted one is given to workflow code: while a clone of it lives, foreign code may wake the
/// scope, and its execution must not be parked. The engine's own futures keep the plain one instead.
pub(crate) struct Wakers {
    bell: Arc<Bell>,
    counted: Arc<Counted>,
    counted_waker: Waker,
    plain: Waker,
}

/// What is rung when a scope should be polled.
#[derive(Default)]
pub(crate) struct Bell {
    outer: AtomicWaker,
    rung: AtomicBool,
}

struct Counted {
    woken: AtomicBool,
    bell: Arc<Bell>,
}

impl Wakers {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        // A scope that was never polled has something to do.
        bell.rung.store(true, Ordering::Relaxed);
        let counted = Arc::new(Counted { woken: AtomicBool::new(false), bell: bell.clone() });
        Self { counted_waker: Waker::from(counted.clone()), plain: Waker::from(bell.clone()), bell, counted }
    }

    /// The waker that workflow code is polled with.
    pub(crate) fn counted(&self) -> &Waker {
        &self.counted_waker
    }

    /// The waker a durable future keeps: the plain one, unless it is polled by a combinator that has wakers of its own.
    pub(crate) fn own(&self, given: &Waker) -> Waker {
        if self.counted_waker.will_wake(given) { self.plain.clone() } else { given.clone() }
    }

    /// Begins a poll for `outer`; `false` if nothing woke the scope since the last poll.
    pub(crate) fn begin_poll(&self, outer: &Waker) -> bool {
        self.bell.is_for(outer);
        self.counted.woken.store(false, Ordering::Relaxed);
        self.bell.rung.swap(false, Ordering::AcqRel)
    }

    /// Whether the scope continues by itself: its code woke itself while it was polled, or foreign code holds a waker of it.
    pub(crate) fn goes_on(&self) -> bool {
        self.counted.woken.load(Ordering::Relaxed) || self.foreign_alive()
    }

    /// Whether code outside the engine holds a waker of this scope.
    pub(crate) fn foreign_alive(&self) -> bool {
        const OURS: usize = 2; // `counted` and `counted_waker`
        Arc::strong_count(&self.counted) > OURS
    }
}

impl Bell {
    /// Whom to wake when it is rung.
    pub(crate) fn is_for(&self, outer: &Waker) {
        self.outer.register(outer);
    }

    pub(crate) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.outer.wake();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.bell.ring();
    }
}
