//! Who sees how far a transfer has come.

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;

use crate::server::{on, serve, shell};
use whole_program_tests::built;

/// A platform whose answer does not end before it is told to. The length of it is told if that is wanted.
fn trickling(tells_length: bool) -> (String, mpsc::Sender<()>) {
    let (end, ending) = mpsc::channel();
    let ending = Mutex::new(ending);
    let url = serve(move |mut request| {
        let head = if tells_length { "200 OK\r\ncontent-length: 4194304" } else { "200 OK" };
        request.answer(head, &vec![b'x'; 1 << 20]);
        let rest = 3 << 20;
        ending.lock().unwrap().recv().unwrap();
        request.write(&vec![b'x'; rest]);
    });
    (url, end)
}

/// The program in a terminal of its own.
struct Terminal {
    script: Child,
    output: ChildStdout,
    shown: Vec<u8>,
}

impl Terminal {
    fn start(command: &str, url: &str, folder: &Path) -> Self {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("'{}' content {command}", built().runtime.display()), "/dev/null"]);
        on(&mut script, url, folder);
        let mut script = script.stdout(Stdio::piped()).spawn().unwrap();
        let output = script.stdout.take().unwrap();
        Self { script, output, shown: Vec::new() }
    }

    /// Waits until the text is shown.
    fn wait_for(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.shown).contains(text) {
            assert!(self.look(), "no {text:?} in {:?}", String::from_utf8_lossy(&self.shown));
        }
    }

    fn look(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let count = self.output.read(&mut bytes).unwrap_or_default();
        self.shown.extend_from_slice(&bytes[..count]);
        count > 0
    }

    /// Everything that is shown until the program ends, which does well.
    fn end(mut self) -> String {
        while self.look() {}
        let shown = String::from_utf8_lossy(&self.shown).into_owned();
        assert!(self.script.wait().unwrap().success(), "{shown}");
        shown
    }
}

#[test]
fn at_a_terminal_a_long_transfer_shows_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    // Where nothing must be shown the transfer begins first and lasts longer: without a terminal, and at one to which the
    // bytes go.
    let (url, end_apart) = trickling(true);
    let apart = shell("exec \"$PROGRAM\" content get k apart", &url, folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (url, end_mixed) = trickling(true);
    let mut mixed = Terminal::start("get k", &url, folder.path());
    mixed.wait_for("x");

    let (url, end) = trickling(true);
    let mut terminal = Terminal::start("get 'a b/ü' known", &url, folder.path());
    terminal.wait_for("1.00 MiB/4.00 MiB");
    end.send(()).unwrap();
    let shown = terminal.end();
    assert!(shown.contains("a b/ü") && shown.contains("MiB/s") && shown.contains("left"), "{shown:?}");

    let (url, end) = trickling(false);
    let mut terminal = Terminal::start("get k unknown", &url, folder.path());
    terminal.wait_for("1.00 MiB");
    end.send(()).unwrap();
    let shown = terminal.end();
    assert!(!shown.contains("/4.00 MiB") && !shown.contains("left"), "{shown:?}");

    end_apart.send(()).unwrap();
    let output = apart.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    end_mixed.send(()).unwrap();
    assert_eq!(mixed.end(), "x".repeat(4 << 20), "more than the bytes is shown");
    for name in ["apart", "known", "unknown"] {
        assert_eq!(folder.path().join(name).metadata().unwrap().len(), 4 << 20);
    }
}

#[test]
fn at_a_terminal_an_upload_shows_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::File::create(folder.path().join("file")).unwrap().set_len(64 << 20).unwrap();
    let (end, ending) = mpsc::channel();
    let ending = Mutex::new(ending);
    let url = serve(move |mut request| {
        ending.lock().unwrap().recv().unwrap();
        request.discard();
        request.answer("200 OK\r\ncontent-length: 2", b"{}");
    });
    let mut terminal = Terminal::start("put file k", &url, folder.path());
    terminal.wait_for("/64.00 MiB");
    end.send(()).unwrap();
    assert!(terminal.end().ends_with("k\r\n"));
}
