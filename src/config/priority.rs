//! The priority of a thread.
//!
//! It stands beside the other calls to the operating system that are below the server. Deliberately not here: which work
//! may wait (`identity`).

/// How far a thread steps back: beside one other thread that computes, it gets a quarter of a core.
#[cfg(target_os = "linux")]
const STEPS_BACK: i32 = 5;

/// Lets other threads go before the calling one, until it ends: it may not step forward again.
///
/// The priority is the thread's own on Linux; elsewhere it is the process's, so nothing is changed there.
#[cfg(target_os = "linux")]
pub fn step_back() {
    // A system that does not allow it only makes others wait a little.
    let _ = rustix::process::nice(STEPS_BACK);
}
/// See above.
#[cfg(not(target_os = "linux"))]
pub fn step_back() {}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    #[test]
    fn a_thread_steps_back_behind_others_and_nobody_else_does() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let within = std::thread::spawn(move || {
            super::step_back();
            priority()
        });
        assert_eq!(within.join().unwrap(), (before + super::STEPS_BACK).min(19));
        assert_eq!(priority(), before);
    }
}
