//! Work that takes a core for a while, behind the work that somebody waits for.

use std::thread::{Builder, scope};

/// How far it steps back: beside one other thread that computes, it gets a quarter of a core.
#[cfg(target_os = "linux")]
const STEPS: i32 = 5;

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

/// The priority is the thread's own on Linux, and the process's elsewhere.
#[cfg(target_os = "linux")]
fn step_back() {
    // A system that does not allow it only makes others wait a little.
    let _ = rustix::process::nice(STEPS);
}
#[cfg(not(target_os = "linux"))]
fn step_back() {}

#[cfg(test)]
mod tests {
    use super::behind_others;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_hash_steps_back_behind_others_and_nobody_else_does() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let within = behind_others(&mut || priority());
        assert_eq!(within, (before + super::STEPS).min(19));
        assert_eq!(priority(), before);
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
