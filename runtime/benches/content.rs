//! Transfers of content as whole processes, beside curl, on a server that throws away what it gets and makes up what it
//! gives.
//!
//! The programs run in turn, round by round, so that whatever else the machine does meets both. What counts is the ratio of
//! the medians. The peak of resident memory is read while the server holds back the end of a transfer.
//!
//! ```sh
//! cargo bench -p skill-runtime --bench content
//! ```

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench shows what it measured")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends at the first fault")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde_json::Value;
use skill_sdk::testing;
use tempfile::TempDir;

const ROUNDS: usize = 15;

/// Bytes of the transfers that are timed.
const SIZE: u64 = 256 << 20;

/// Bytes of the transfers whose memory is measured.
const SIZES: [(u64, &str); 3] = [(16 << 20, "16 MB"), (256 << 20, "256 MB"), (1 << 30, "1 GB")];

/// Most bytes that a program gathers before it writes.
const GATHERED: u64 = 256 << 10;

fn main() {
    let bench = Bench::new();
    println!("Content of 256 MB, medians of {ROUNDS} rounds:\n");
    println!("| transfer | program | median | times curl | target |");
    println!("|---|---|---|---|---|");
    for transfer in Transfer::ALL {
        bench.compare(transfer);
    }
    println!("\nPeak of resident memory (target: ≤ 16 MB):\n");
    println!("| transfer | program | {} |", SIZES.map(|(_, name)| name).join(" | "));
    println!("|---|---|---|---|---|");
    for transfer in [Transfer::Upload, Transfer::ToFile] {
        for program in Program::ALL {
            let peaks = SIZES.map(|(size, _)| format!("{:.1} MB", bench.peak(transfer, program, size)));
            println!("| {} | {} | {} |", transfer.name(), program.name(), peaks.join(" | "));
        }
    }
}

#[derive(Clone, Copy)]
enum Transfer {
    Upload,
    ToFile,
    ToNull,
}

impl Transfer {
    const ALL: [Self; 3] = [Self::Upload, Self::ToFile, Self::ToNull];

    fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::ToFile => "download to a file",
            Self::ToNull => "download to /dev/null",
        }
    }
}

#[derive(Clone, Copy)]
enum Program {
    Curl,
    SkillRuntime,
}

impl Program {
    const ALL: [Self; 2] = [Self::Curl, Self::SkillRuntime];

    fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::SkillRuntime => "skill-runtime",
        }
    }
}

struct Bench {
    skill_runtime: PathBuf,
    url: String,
    held: Mutex<Held>,
    /// What is uploaded. It lies on a disk, as files do, and has been written just now.
    files: TempDir,
    /// What is downloaded: in memory where that is possible, so that no disk is measured.
    folder: TempDir,
}

/// Transfers that the server holds back: it says so, and goes on when it is told to.
struct Held {
    reached: Receiver<()>,
    go_on: Sender<()>,
}

impl Bench {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let token = testing::Token::new().text();
        fs::write(folder.path().join("token"), token.expose_secret()).unwrap();
        fs::write(
            folder.path().join("curlrc"),
            format!("header = \"Authorization: Bearer {}\"", token.expose_secret()),
        )
        .unwrap();
        let files = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut file = File::create(files.path().join("file")).unwrap();
        let piece: Vec<u8> = (0..1 << 20).map(|_| fastrand::u8(..)).collect();
        for _ in 0..SIZE >> 20 {
            file.write_all(&piece).unwrap();
        }
        for (size, _) in SIZES {
            File::create(files.path().join(size.to_string())).unwrap().set_len(size).unwrap();
        }
        let (url, held) = serve();
        Self { skill_runtime: build(), url, held: Mutex::new(held), files, folder }
    }

    /// A transfer of what is under the key, which says how much that is.
    fn command(&self, transfer: Transfer, program: Program, key: &str, file: &str) -> Command {
        let folder = self.folder.path();
        let file = self.files.path().join(file);
        let into = match transfer {
            Transfer::Upload | Transfer::ToNull => Path::new("/dev/null").to_owned(),
            Transfer::ToFile => folder.join("out"),
        };
        let mut command;
        match program {
            Program::Curl => {
                command = Command::new("curl");
                command.args(["-sS", "-K"]).arg(folder.join("curlrc")).arg("-o").arg(into);
                if let Transfer::Upload = transfer {
                    command.args(["-X", "POST", "-H", "Content-Type: application/octet-stream", "-T"]).arg(file);
                }
                command.arg(format!("{}/fabric/v4/projects/p/content/{key}", self.url));
            }
            Program::SkillRuntime => {
                command = Command::new(&self.skill_runtime);
                match transfer {
                    Transfer::Upload => command.args(["content", "put"]).arg(file).arg(key),
                    Transfer::ToFile | Transfer::ToNull => command.args(["content", "get", key]).arg(into),
                };
                command.args(["--project", "p", "--api-endpoint", &self.url, "--token-file"]).arg(folder.join("token"));
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn compare(&self, transfer: Transfer) {
        let mut times = [const { Vec::new() }; 2];
        for round in 0..=ROUNDS {
            for (program, times) in Program::ALL.into_iter().zip(&mut times) {
                let out = self.folder.path().join("out");
                // Both make a new file.
                let _ = fs::remove_file(&out);
                let mut command = self.command(transfer, program, &SIZE.to_string(), "file");
                let began = Instant::now();
                assert!(command.status().unwrap().success(), "{}", program.name());
                // The first round warms up.
                if round > 0 {
                    times.push(began.elapsed());
                }
                if let Transfer::ToFile = transfer {
                    assert_eq!(out.metadata().unwrap().len(), SIZE);
                }
            }
        }
        let medians = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e3
        });
        for (program, median) in Program::ALL.into_iter().zip(medians) {
            let target = if let Program::Curl = program { "" } else { "≤ 1.2" };
            let ratio = median / medians[0];
            println!("| {} | {} | {median:.0} ms | {ratio:.2} | {target} |", transfer.name(), program.name());
        }
    }

    /// The most memory that was resident, in megabytes, when all of the transfer but its end had been done.
    fn peak(&self, transfer: Transfer, program: Program, size: u64) -> f64 {
        let out = self.folder.path().join("out");
        let _ = fs::remove_file(&out);
        let mut child = self.command(transfer, program, &format!("held/{size}"), &size.to_string()).spawn().unwrap();
        let held = self.held.lock().unwrap();
        held.reached.recv().unwrap();
        if let Transfer::ToFile = transfer {
            // The server has sent it; it must be in the file too, but for what a program gathers before it writes.
            while self.longest_download() + GATHERED < size {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        held.go_on.send(()).unwrap();
        assert!(child.wait().unwrap().success());
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1024.0 / 1e6
    }

    fn longest_download(&self) -> u64 {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap());
        let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let downloads = files.filter(|entry| name(entry) == "out" || name(entry).starts_with(".download-"));
        downloads.map(|entry| entry.metadata().unwrap().len()).max().unwrap_or_default()
    }
}

/// Builds what is measured, and gives its path.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the repository");
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--profile", "dist", "--message-format=json-render-diagnostics"])
        .args(["-p", "skill-runtime", "--bin", "skill-runtime"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "the build failed");
    let mut artifacts = output.stdout.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let executable = artifacts.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    executable.expect("the program was built")
}

/// A server of content whose keys end in its length.
fn serve() -> (String, Held) {
    let (reach, reached) = mpsc::channel();
    let (go_on, going_on) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gate = Arc::new(Mutex::new((reach, going_on)));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let gate = Arc::clone(&gate);
            let wait = move || {
                let gate = gate.lock().unwrap();
                gate.0.send(()).unwrap();
                gate.1.recv().unwrap();
            };
            std::thread::spawn(move || answer(&connection.unwrap(), wait));
        }
    });
    (url, Held { reached, go_on })
}

/// Answers a connection's requests. Of what is to be held it waits before the end.
fn answer(connection: &TcpStream, wait: impl Fn()) {
    connection.set_nodelay(true).unwrap();
    let mut input = BufReader::with_capacity(256 << 10, connection);
    let mut output = connection;
    let piece = vec![b'x'; 256 << 10];
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            // Whoever has had enough closes the connection.
            if !matches!(input.read_until(b'\n', &mut head), Ok(1..)) {
                return;
            }
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let is_held = head.contains("/held/");
        if head.contains("expect: 100-continue") {
            output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        if head.starts_with("post") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
            assert_eq!(discard(&mut input, length), length);
            if is_held {
                wait();
            }
            let json = r#"{"success":true}"#;
            let length = json.len();
            write!(
                output,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
            )
            .unwrap();
        } else {
            let path = head.split_whitespace().nth(1).unwrap();
            let length: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
            write!(output, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").unwrap();
            let mut left = length - 1;
            while left > 0 {
                let count = usize::try_from(left).unwrap().min(piece.len());
                output.write_all(&piece[..count]).unwrap();
                left -= count as u64;
            }
            if is_held {
                wait();
            }
            output.write_all(b"x").unwrap();
        }
    }
}

/// Reads so many bytes, and gives how many there were.
fn discard(input: &mut impl BufRead, length: u64) -> u64 {
    let mut input = input.take(length);
    let mut all = 0;
    while let Ok(count @ 1..) = input.fill_buf().map(<[u8]>::len) {
        input.consume(count);
        all += count as u64;
    }
    all
}
