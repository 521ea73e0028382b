//! However much is transferred, it does not take more memory.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};

use crate::server::{on, serve};
use whole_program_tests::built;

/// The transfers whose memory is compared, in bytes.
const SIZES: [u64; 2] = [16 << 20, 256 << 20];

/// The larger transfer may take as much more than the smaller one, in kilobytes. Allocators are not exact.
const MARGIN: u64 = 4 << 10;

/// Most memory of a program that was built for use, in kilobytes.
const MOST: u64 = 16_000;

/// A transfer whose end the platform holds back.
struct Held {
    reached: Receiver<()>,
    go_on: Sender<()>,
}

/// A platform that takes or gives as many bytes as the key says.
fn platform() -> (String, Held) {
    let (reach, reached) = mpsc::channel();
    let (go_on, going_on) = mpsc::channel();
    let gate = Mutex::new((reach, going_on));
    let wait = move || {
        let gate = gate.lock().unwrap();
        gate.0.send(()).unwrap();
        gate.1.recv().unwrap();
    };
    let url = serve(move |mut request| {
        let size: u64 = request.line.rsplit('/').next().unwrap().parse().unwrap();
        if request.line.starts_with("POST") {
            assert_eq!(request.discard(), size);
            wait();
            request.answer("200 OK\r\ncontent-length: 2", b"{}");
            return;
        }
        request.answer(&format!("200 OK\r\ncontent-length: {size}"), b"");
        let piece = vec![b'x'; 256 << 10];
        let mut left = size - 1;
        while left > 0 {
            let count = piece.len().min(left.try_into().unwrap());
            assert!(request.write(&piece[..count]));
            left -= count as u64;
        }
        wait();
        request.write(b"x");
    });
    (url, Held { reached, go_on })
}

fn start(url: &str, folder: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(&built().runtime);
    command.arg("content").args(args).stdout(Stdio::piped());
    on(&mut command, url, folder);
    command.spawn().unwrap()
}

/// The most memory that a process has had resident, in kilobytes. What the system tells at the end of a process would count in
/// the memory of the process that started it.
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn compare(peaks: [u64; 2]) {
    let [small, large] = peaks;
    assert!(large <= small + MARGIN, "{large} kB instead of {small} kB");
    assert!(cfg!(debug_assertions) || large <= MOST, "{large} kB");
}

#[test]
fn the_memory_of_an_upload_does_not_grow() {
    let folder = tempfile::tempdir().unwrap();
    let (url, held) = platform();
    compare(SIZES.map(|size| {
        let name = size.to_string();
        File::create(folder.path().join(&name)).unwrap().set_len(size).unwrap();
        let mut child = start(&url, folder.path(), &["put", &name]);
        held.reached.recv().unwrap();
        // All of it has been sent.
        let peak = peak(&child);
        held.go_on.send(()).unwrap();
        assert!(child.wait().unwrap().success());
        peak
    }));
}

#[test]
fn the_memory_of_a_download_does_not_grow() {
    let folder = tempfile::tempdir().unwrap();
    let (url, held) = platform();
    compare(SIZES.map(|size| {
        let mut child = start(&url, folder.path(), &["get", &size.to_string()]);
        let mut stdout = child.stdout.take().unwrap();
        let most = std::io::copy(&mut (&mut stdout).take(size - 1), &mut std::io::sink()).unwrap();
        assert_eq!(most, size - 1);
        held.reached.recv().unwrap();
        // All but one byte has been written.
        let peak = peak(&child);
        held.go_on.send(()).unwrap();
        assert_eq!(stdout.read_to_end(&mut Vec::new()).unwrap(), 1);
        assert!(child.wait().unwrap().success());
        peak
    }));
}
