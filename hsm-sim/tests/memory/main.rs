//! What 10,000 PIN verifications leave in memory: no PIN block in clear, no session key, no schedule of one, not in the
//! lanes' order either; and nothing of keys that were used and unloaded before.
//!
//! A child process verifies PINs under keys derived for each of them, in batches of 1, 5, 64 and 256, and waits. What
//! it is given is encrypted; this process, which made it, knows every secret, takes a core dump of the child, and
//! looks. In a second child secrets are planted, and must be found. The local master key and the masters, which the
//! child's HSM must hold, are not looked for, nor are PSAMs' own keys in its cache.
#![cfg(all(feature = "emulator", feature = "test-keys"))]
#![expect(clippy::unwrap_used, reason = "tests")]

mod child;
mod dump;
mod job;
mod secrets;

use job::Job;
use secrets::{Kind, Secrets};
use std::collections::BTreeMap;

/// PINs in a run.
const COUNT: usize = 10_000;

/// Batch by batch, over and over.
const BATCHES: [usize; 4] = [1, 5, 64, 256];

/// Where each batch begins and ends.
fn batches(count: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut next = 0;
    BATCHES.into_iter().cycle().map_while(move |size| {
        let batch = next..count.min(next + size);
        next = batch.end;
        (!batch.is_empty()).then_some(batch)
    })
}

/// How often each kind of secret stands in the memory of a child that has done this job.
fn found(name: &str, job: &Job, secrets: &Secrets, planted: &[Vec<u8>]) -> BTreeMap<Kind, usize> {
    let mut child = child::start(name, job, planted);
    let memory = dump::of(child.process(), name);
    child.stop();
    assert!(memory.len() > 1 << 20, "{} bytes are no process", memory.len());
    secrets.count_in(&memory)
}

#[test]
fn ten_thousand_pin_verifications_leave_no_secret_in_memory() {
    let job = Job::new(COUNT, 1);
    let secrets = Secrets::of(&job);
    assert_eq!(found("quiet", &job, &secrets, &[]), BTreeMap::new());
}

#[test]
fn what_is_planted_is_found() {
    let job = Job::new(400, 2);
    let secrets = Secrets::of(&job);
    let planted = secrets.one_of_each();
    let want = planted.iter().map(|(kind, _)| (*kind, 1)).collect();
    let planted: Vec<Vec<u8>> = planted.into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(found("planted", &job, &secrets, &planted), want);
}
