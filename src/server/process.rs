//! What the process asks of the operating system.

/// Keeps secrets out of core dumps, and out of reach of other processes of the same user.
// SECURITY: a dump of memory holds the root secret, sessions and what people see. The limit alone does not stop a
// handler that the system pipes dumps into; a process that may not be dumped is not dumped at all.
#[cfg(unix)]
pub fn keep_secrets_in_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Lowering a limit of one's own cannot fail; without it the rest holds.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
/// Keeps secrets out of core dumps: here the system is not asked.
#[cfg(not(unix))]
pub fn keep_secrets_in_memory() {}

/// Files and connections that the process itself needs besides the connections of clients.
const OWN_FILES: u64 = 256;

/// Raises the limit of open files so far as it takes for so many connections; says so when it does not suffice.
#[cfg(unix)]
pub(super) fn allow_connections(connections: u32) -> Option<String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = u64::from(connections) + OWN_FILES;
    let limit = getrlimit(Resource::Nofile);
    let enough = |current: Option<u64>| current.is_none_or(|current| current >= wanted);
    if enough(limit.current) {
        return None;
    }
    let most = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum });
    let now = getrlimit(Resource::Nofile).current;
    (!enough(now)).then(|| {
        let now = now.map_or_else(String::new, |now| now.to_string());
        format!("limits.connections is {connections}, but the system allows this process {now} open files: raise its limit (LimitNOFILE)")
    })
}
/// Says when the system allows too few files; here it is not asked.
#[cfg(not(unix))]
pub(super) fn allow_connections(_: u32) -> Option<String> {
    None
}
