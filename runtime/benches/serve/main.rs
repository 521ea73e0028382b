//! The daemon, beside axum alone and beside the daemons that are written in Python; and whether it keeps memory.
//!
//! All are asked by the same connections with the same messages, in turn and round by round, so that whatever else the machine does
//! meets all of them. Servers share a core, and the load has another. What counts are the ratios of the medians.
//!
//! ```sh
//! cargo bench -p skill-runtime --bench serve                   # 5 rounds of 3 s each
//! cargo bench -p skill-runtime --bench serve -- 3 1            # 3 rounds of 1 s each
//! cargo bench -p skill-runtime --bench serve -- 3 1 linked     # only those with this in their names, and axum
//! cargo bench -p skill-runtime --bench serve -- soak           # memory after up to 1,000,000 invocations
//! cargo bench -p skill-runtime --bench serve -- soak 100000    # after up to 100,000
//! ```
//!
//! `BENCH_PROGRAMS` names a folder of programs that are measured instead of newly built ones.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench shows what it measured")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends at the first fault")]

mod load;
mod messages;
mod servers;
mod soak;
mod speed;

/// Connections that ask at the same time.
const CONNECTIONS: usize = 64;

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let number = |place: usize, usual: u32| {
        arguments
            .get(place)
            .map_or(usual, |text| text.parse().expect("the arguments are numbers, or `soak` and a number"))
    };
    if arguments.first().is_some_and(|first| first == "soak") {
        soak::run(number(1, 1_000_000).into());
    } else {
        speed::run(number(0, 5), number(1, 3), arguments.get(2).map_or("", String::as_str));
    }
}
