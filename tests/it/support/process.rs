//! Servers in processes of their own, as an operator runs them.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running server; killed when dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

/// The built program with a command, and no setting of this process's own environment. It may run as root.
pub fn portcullis(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PORTCULLIS_")) {
        command.env_remove(name);
    }
    command.env("PORTCULLIS_ALLOW_ROOT", "true");
    command
}

impl Process {
    /// Starts it and waits until it is ready; or why it did not become so.
    pub fn try_start(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let told = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            text
        });
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("is ready at http://") {
            if reader.read_line(&mut said).unwrap_or(0) == 0 {
                let status = child.wait().unwrap();
                return Err(format!("{status}: {}", told.join().unwrap()));
            }
        }
        let address = said.split("is ready at http://").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        Ok(Self { child, address })
    }

    pub fn start(command: &mut Command) -> Self {
        Self::try_start(command).unwrap_or_else(|why| panic!("the server did not start: {why}"))
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop, as an operator does (SIGTERM), and waits until it has.
    pub fn stop(self) -> ExitStatus {
        self.tell();
        self.ended()
    }

    /// Waits until it has ended by itself. Being told twice, it would not wait for the drain time.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Tells it to stop.
    pub fn tell(&self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
