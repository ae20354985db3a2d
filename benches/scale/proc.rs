//! What Linux says of processes.

/// Clock ticks of `/proc` in a second, on every machine that Linux runs on.
const TICKS: f64 = 100.0;

/// Memory of a process, in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub resident: f64,
    /// What is not shared with others and in no file.
    pub private: f64,
}

/// The memory of a process, if it is there.
pub fn memory(id: u32) -> Option<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let of = |name: &str| -> Option<f64> {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(rest.split_whitespace().next()?.parse::<f64>().ok()? / 1_024.0)
    };
    Some(Memory { resident: of("VmRSS:")?, private: of("RssAnon:")? })
}

/// Fields of `/proc/ID/stat` from the state on.
fn stat(id: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it may have spaces and brackets.
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Seconds of the fields between these, counted from the state.
fn seconds(id: u32, fields: std::ops::Range<usize>) -> f64 {
    let all = stat(id).unwrap_or_default();
    let ticks = fields.filter_map(|at| all.get(at)?.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS
}

/// CPU seconds of a process, outside and inside of the kernel.
pub fn cpu(id: u32) -> f64 {
    seconds(id, 11..13)
}

/// The same of a process and its children, with those that have ended.
pub fn cpu_of_family(id: u32) -> f64 {
    seconds(id, 11..15) + children(id).into_iter().map(cpu).sum::<f64>()
}

/// The processes that a process started and that are there.
pub fn children(id: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|child| stat(*child).is_some_and(|fields| fields.get(1).is_some_and(|parent| *parent == id.to_string()))).collect()
}

/// What a process calls itself.
pub fn title(id: u32) -> String {
    let text = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ")
}
