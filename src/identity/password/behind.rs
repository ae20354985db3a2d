//! Work that takes a core for a while, behind the work that somebody waits for.

use crate::config::step_back;
use std::thread::{Builder, scope};

/// Works on a thread of its own that others go before: while people sign in, pages are answered as quickly as ever.
///
/// A thread that stepped back may not step forward again, so it ends with the work.
pub(super) fn behind_others<T: Send>(work: &mut (dyn FnMut() -> T + Send)) -> T {
    let done = scope(|scope| {
        let other = Builder::new().spawn_scoped(scope, || {
            step_back();
            work()
        });
        other.ok().map(|thread| thread.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault)))
    });
    // Without another thread it is done here.
    done.unwrap_or_else(work)
}

#[cfg(test)]
mod tests {
    use super::behind_others;

    #[test]
    fn it_runs_on_a_thread_of_its_own() {
        let here = std::thread::current().id();
        assert_ne!(behind_others(&mut || std::thread::current().id()), here);
    }

    #[test]
    fn what_fails_within_fails_here_and_what_is_borrowed_comes_back() {
        let mut borrowed = vec![1, 2];
        assert_eq!(
            behind_others(&mut || {
                borrowed.push(3);
                borrowed.len()
            }),
            3
        );
        assert_eq!(borrowed, [1, 2, 3]);
        let failed = std::panic::catch_unwind(|| behind_others(&mut || panic!("within")));
        assert!(failed.is_err());
    }
}
