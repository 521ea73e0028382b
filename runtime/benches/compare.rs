//! `iam compare` as a whole process, beside a bare program that puts what exists into a hash set and looks for what is desired.
//!
//! Both read the same two files, and must print the same. They run in turn, round by round, so that whatever else the machine does
//! meets both. What counts is the ratio of the medians. The peak of resident memory is read while a program waits for somebody
//! to read what it prints.
//!
//! ```sh
//! cargo bench -p skill-runtime --bench compare
//! ```

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench shows what it measured")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends at the first fault")]

use std::fs;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// Flattened entries of each side, and how often each program runs.
const SIZES: [(usize, &str, usize); 4] =
    [(1_000, "1k", 200), (10_000, "10k", 100), (100_000, "100k", 25), (1_000_000, "1M", 7)];

/// Entries of one capability, each counted once for each of its two actions.
const IN_ONE: usize = 50;

fn main() {
    let bench = Bench::new();
    println!("Medians; half of what is desired exists.\n");
    println!(
        "| entries | of each side | bare | skill-runtime | times bare | ten times the entries take | memory, times bare |"
    );
    println!("|---|---|---|---|---|---|---|");
    for kind in Kind::ALL {
        let mut before = None;
        for (entries, size, rounds) in SIZES {
            let [existing, desired] = bench.files(kind, entries);
            let [bare, ours] = bench.medians(&existing, &desired, rounds);
            let growth = before.map_or_else(String::new, |before: f64| format!("{:.1}", ours / before));
            // What is shorter is printed before anybody can look.
            let memory = if entries < 100_000 {
                String::new()
            } else {
                let peaks = bench.programs().map(|program| Bench::peak(&program, &existing, &desired));
                format!("{:.2} ({:.0} MB)", peaks[1] / peaks[0], peaks[1])
            };
            println!(
                "| {} | {size} | {bare:.1} ms | {ours:.1} ms | {:.2} | {growth} | {memory} |",
                kind.name(),
                ours / bare
            );
            before = Some(ours);
        }
    }
    println!(
        "\nTargets: at 100k at most 1.3 times the bare program, ten times the entries in at most 12 times the time, at most 1.5 times the memory."
    );
}

#[derive(Clone, Copy)]
enum Kind {
    DataSets,
    Tables,
    Instances,
    Mixture,
}

impl Kind {
    const ALL: [Self; 4] = [Self::DataSets, Self::Tables, Self::Instances, Self::Mixture];

    fn name(self) -> &'static str {
        match self {
            Self::DataSets => "data set ids",
            Self::Tables => "raw tables",
            Self::Instances => "data model instances",
            Self::Mixture => "mixture",
        }
    }

    /// The nth capability of a side, with these entries.
    fn capability(self, n: usize, entries: &[usize], is_desired: bool) -> Value {
        let id = |entry: &usize| 1_000_000_000_000_000 + entry * 7_919;
        match self {
            Self::DataSets => {
                let ids: Vec<usize> = entries.iter().map(id).collect();
                json!({"eventsAcl": {"actions": ["READ", "WRITE"], "scope": {"datasetScope": {"ids": ids}}}})
            }
            Self::Tables => {
                let databases = entries.chunks(10).map(|tables| {
                    let names: Vec<String> = tables.iter().map(|table| format!("measurements_{table}")).collect();
                    (format!("plant_{}", tables[0] / 10), json!({"tables": names}))
                });
                let databases: Map<String, Value> = databases.collect();
                json!({"rawAcl": {"actions": ["READ", "WRITE"], "scope": {"tableScope": {"dbsToTables": databases}}}})
            }
            Self::Instances => {
                let spaces: Vec<String> = entries.iter().map(|entry| format!("space_{}", id(entry))).collect();
                // Who may write instances may write their properties.
                let actions = if is_desired { ["READ", "WRITE_PROPERTIES"] } else { ["READ", "WRITE"] };
                json!({"dataModelInstancesAcl": {"actions": actions, "scope": {"spaceIdScope": {"spaceIds": spaces}}}})
            }
            Self::Mixture => [Self::DataSets, Self::Tables, Self::Instances][n % 3].capability(n, entries, is_desired),
        }
    }
}

struct Bench {
    /// That of the programs.
    programs: PathBuf,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { programs: build(), folder: tempfile::tempdir().unwrap() }
    }

    /// What exists, and what is desired: as many, of which half exist. The order is that of chance.
    fn files(&self, kind: Kind, entries: usize) -> [PathBuf; 2] {
        let count = entries / 2;
        let mut random = fastrand::Rng::with_seed(7);
        // Of each database all tables stand in one capability.
        let mut pieces: Vec<usize> = (0..count * 2).step_by(IN_ONE).collect();
        random.shuffle(&mut pieces);
        [("existing", 0), ("desired", 1)].map(|(name, side)| {
            let capabilities = (0..count / IN_ONE).map(|n| {
                // Of two pieces that follow each other, one is on both sides, and one on this alone.
                let start = if n % 2 == 0 { pieces[n] } else { pieces[(n + side * (count / IN_ONE)) % pieces.len()] };
                let mut entries: Vec<usize> = (start..start + IN_ONE).collect();
                if !matches!(kind, Kind::Tables | Kind::Mixture) {
                    random.shuffle(&mut entries);
                }
                // The kind of a mixture goes by the piece, so that both sides agree.
                kind.capability(start / IN_ONE, &entries, side == 1)
            });
            let capabilities: Value = capabilities.collect();
            let path = self.folder.path().join(format!("{name}.json"));
            fs::write(&path, capabilities.to_string()).unwrap();
            path
        })
    }

    fn programs(&self) -> [Vec<PathBuf>; 2] {
        let path = |name: &str| self.programs.join(name);
        [vec![path("bare-compare")], vec![path("skill-runtime"), "iam".into(), "compare".into()]]
    }

    fn command(program: &[PathBuf], existing: &Path, desired: &Path) -> Command {
        let mut command = Command::new(&program[0]);
        command.args(&program[1..]);
        if program.len() == 1 {
            command.args([existing, desired]);
        } else {
            command.arg("--existing").arg(existing).arg("--desired").arg(desired);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Milliseconds of either program.
    fn medians(&self, existing: &Path, desired: &Path, rounds: usize) -> [f64; 2] {
        let programs = self.programs();
        let outputs = programs.each_ref().map(|program| Self::command(program, existing, desired).output().unwrap());
        assert!(outputs[0].status.success());
        // Something is missing.
        assert_eq!(outputs[1].status.code(), Some(77), "{}", String::from_utf8_lossy(&outputs[1].stderr));
        let printed = outputs.map(|output| serde_json::from_slice::<Value>(&output.stdout).unwrap());
        assert!(printed[0] == printed[1], "the programs print different things");
        let mut times = [const { Vec::new() }; 2];
        for _ in 0..rounds {
            for (program, times) in programs.iter().zip(&mut times) {
                let began = Instant::now();
                Self::command(program, existing, desired).stdout(Stdio::null()).status().unwrap();
                times.push(began.elapsed());
            }
        }
        times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e3
        })
    }

    /// The most memory that was resident, in megabytes, when printing had begun.
    fn peak(program: &[PathBuf], existing: &Path, desired: &Path) -> f64 {
        let mut child = Self::command(program, existing, desired).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        output.read_exact(&mut [0]).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        std::io::copy(&mut output, &mut std::io::sink()).unwrap();
        child.wait().unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1024.0 / 1e6
    }
}

/// Builds what is measured, and gives the folder it is in.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the repository");
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--profile", "dist", "--message-format=json-render-diagnostics"])
        .args(["-p", "skill-runtime", "-p", "whole-program-tests", "--bin", "skill-runtime", "--bin", "bare-compare"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "the build failed");
    let artifacts = output.stdout.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let mut executables = artifacts.filter_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    executables.next().expect("the programs were built").parent().expect("they are in a folder").to_owned()
}
