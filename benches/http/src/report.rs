//! The tables.

use crate::measure::Sample;

/// What was measured of one load on one server.
pub struct Line {
    pub rows: u32,
    pub load: &'static str,
    pub connections: usize,
    pub server: &'static str,
    pub sample: Sample,
}

/// The middle one of several samples, by CPU per request.
pub fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    let at = samples.len() / 2;
    samples.into_iter().nth(at).unwrap_or_default()
}

/// All lines of one size as a Markdown table, with multiples of the same load on the baselines.
pub fn print(lines: &[Line]) {
    println!("| load | conn. | server | p50 ms | p99 ms | req/s | CPU µs/req | × rusqlite | × diesel |");
    println!("|---|--:|---|--:|--:|--:|--:|--:|--:|");
    for line in lines {
        let of = |server: &str| {
            let same = |other: &&Line| {
                other.server == server && other.rows == line.rows && other.load == line.load && other.connections == line.connections
            };
            let found = lines.iter().find(same).filter(|other| other.sample.cpu > 0.0);
            found.map_or("–".to_owned(), |other| format!("{:.2}", line.sample.cpu / other.sample.cpu))
        };
        let Sample { requests, seconds, p50, p99, cpu } = &line.sample;
        println!(
            "| {} | {} | {} | {:.2} | {:.2} | {:.0} | {:.0} | {} | {} |",
            line.load,
            line.connections,
            line.server,
            p50 / 1e3,
            p99 / 1e3,
            *requests as f64 / seconds,
            cpu,
            of("rusqlite"),
            of("diesel"),
        );
    }
    println!();
}
