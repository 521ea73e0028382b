//! Memory: what a daemon holds after a thousand invocations it holds after a million.

use serde_json::json;

use crate::CONNECTIONS;
use crate::load::Load;
use crate::messages::{Counted, Expected, Signer, payload, request};
use crate::servers::{Cores, Server, build};
use crate::speed::{Form, daemon};

/// Tokens that differ.
const TOKENS: usize = 1000;

/// After how many invocations memory is looked at.
const STEPS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// How far memory may grow from the first step to the last, in megabytes: an allocator keeps what it needed at its busiest.
const GROWTH: f64 = 1.0;

pub(crate) fn run(most: u64) {
    let cores = Cores::pin();
    let programs = build();
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::new();
    let keys = signer.write_keys(folder.path());
    println!(
        "Invocations with {TOKENS} tokens and an activation each, of which one in twenty fails and one in twenty panics:\n"
    );
    println!("| form | resident after | memory | invocations a second |");
    println!("|---|---|---|---|");
    for form in [Form::Linked, Form::Library] {
        let server =
            Server::start(form.name(), cores, |address| daemon(form, "misbehaving", &programs, &keys, address));
        let requests = (0..TOKENS).map(|number| {
            let (skill, status) = match number % 20 {
                7 => ("fails", 500),
                13 => ("panics", 500),
                // It makes a client, as skills do.
                _ => ("caller", 200),
            };
            let path = format!("/skills/{skill}/invoke");
            let message = signer.message(number, &json!({"order": payload(200)}));
            Expected { request: request(server.address, &path, &message), status }
        });
        let mut requests = Counted::new(requests.collect());
        let mut load = Load::connect(server.address, CONNECTIONS);
        let mut done = 0;
        let mut first = None;
        for step in STEPS.into_iter().filter(|&step| step <= most) {
            let round = load.run_through(step - done, &mut requests);
            done = step;
            let resident = server.resident();
            println!("| {} | {step} | {resident:.1} MB | {:.0} |", form.name(), round.rate());
            let first = *first.get_or_insert(resident);
            let verdict = if resident - first <= GROWTH { "" } else { ", which is more than it should" };
            if step == most {
                println!("| {} | | {:+.1} MB since the first{verdict} | |", form.name(), resident - first);
            }
        }
    }
}
