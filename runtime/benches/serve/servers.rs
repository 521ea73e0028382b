//! The programs that are measured: they are built here, and run beside each other on a core of their own.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;

/// Longest start, and longest end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A core for the servers and one for the load.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    servers: usize,
    load: usize,
}

impl Cores {
    /// Moves this process to the core of the load.
    pub(crate) fn pin() -> Self {
        let allowed = sched_getaffinity(None).unwrap();
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let load = allowed.next().expect("this runs somewhere");
        let cores = Self { load, servers: allowed.next().expect("load and servers need a core each") };
        Self::stay_on(cores.load);
        cores
    }

    fn stay_on(core: usize) {
        let mut only = CpuSet::new();
        only.set(core);
        sched_setaffinity(None, &only).unwrap();
    }

    /// Starts a program on the core of the servers, where all its threads will be.
    fn spawn(self, command: &mut Command) -> Child {
        Self::stay_on(self.servers);
        let child = command.spawn();
        Self::stay_on(self.load);
        child.expect("the program can be started")
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts a server that is told its address by the arguments, and waits until it listens. What it says is thrown away.
    pub(crate) fn start(name: &'static str, cores: Cores, command: impl FnOnce(SocketAddr) -> Command) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = command(address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self { name, address, child: cores.spawn(&mut command) };
        let began = Instant::now();
        while let Err(error) = TcpStream::connect(address) {
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{name} does not listen: {ended:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// The body of the answer to a request on a connection of its own.
    pub(crate) fn ask(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 16 << 10];
        loop {
            let read = stream.read(&mut buffer).unwrap();
            answer.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&answer);
            assert!(read > 0, "{}: an answer that is not whole: {text}", self.name);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if length.is_some_and(|length| body.len() >= length) {
                return body.to_owned();
            }
        }
    }

    /// The most memory that was resident, of all its processes, in megabytes.
    pub(crate) fn peak(&self) -> f64 {
        self.memory("VmHWM:")
    }

    /// The memory that is resident, of all its processes, in megabytes.
    pub(crate) fn resident(&self) -> f64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> f64 {
        let of_one = |id: &u32| {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let size = status.lines().find_map(|line| line.strip_prefix(field));
            size.and_then(|size| size.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or_default()
        };
        self.processes().iter().map(of_one).sum::<f64>() * 1024.0 / 1e6
    }

    /// The processor time of all its processes, in seconds.
    pub(crate) fn processor_time(&self) -> f64 {
        let ticks = |id: &u32| {
            let fields = after_name(*id);
            let field = |place: usize| fields.split(' ').nth(place).and_then(|text| text.parse::<f64>().ok());
            // `utime` and `stime`, the fields 14 and 15 of proc_pid_stat(5).
            field(11).unwrap_or_default() + field(12).unwrap_or_default()
        };
        #[expect(clippy::cast_precision_loss, reason = "some hundred")]
        let a_second = rustix::param::clock_ticks_per_second() as f64;
        self.processes().iter().map(ticks).sum::<f64>() / a_second
    }

    /// The process and those it has started.
    fn processes(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|id| Some((id, after_name(id).split(' ').nth(1)?.parse().ok()?)))
            .collect();
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while let Some(&one) = found.get(next) {
            found.extend(parents.iter().filter(|(_, parent)| *parent == one).map(|(id, _)| *id));
            next += 1;
        }
        found
    }
}

/// The fields of a process from the third on (`proc_pid_stat(5)`): its name may hold anything.
fn after_name(id: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned()).unwrap_or_default()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is told to stop, so that it can stop those it has started.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names a folder of programs that are there already, and are measured instead of new ones.
const PROGRAMS: &str = "BENCH_PROGRAMS";

/// Builds everything that is measured, and gives the folder it is in.
pub(crate) fn build() -> PathBuf {
    if let Some(folder) = std::env::var_os(PROGRAMS) {
        return folder.into();
    }
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["build", "--profile", "dist", "--message-format=json-render-diagnostics"])
        .args(["-p", "skill-runtime", "-p", "echo", "-p", "misbehaving", "-p", "whole-program-tests", "--lib"])
        .args(["--bin", "skill-runtime", "--bin", "bare-echo", "--bin", "linked-echo", "--bin", "linked-misbehaving"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "the build failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut artifacts = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let executable = artifacts.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    executable.expect("a program was built").parent().expect("it is in a folder").to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the repository")
}

/// A Python that has what the app needs, installed below the target folder where it is not there yet.
///
/// # Errors
///
/// Why there is none.
pub(crate) fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-serve").join("python");
    let python = folder.join("bin/python");
    let wanted = app_folder().join("requirements.txt");
    let complete = folder.join("complete");
    let text = fs::read(&wanted).unwrap();
    if fs::read(&complete).is_ok_and(|installed| installed == text) {
        return Ok(python);
    }
    let run = |command: &mut Command| match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(said.lines().last().unwrap_or("Python gives no reason").to_owned())
        }
        Err(error) => Err(format!("there is no python3: {error}")),
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(wanted))?;
    fs::write(complete, text).unwrap();
    Ok(python)
}

/// Where the app of the Python servers is.
pub(crate) fn app_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/serve")
}
