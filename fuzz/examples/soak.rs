//! Runs a target over seeded inputs, or over one that is given, without libFuzzer and on stable
//! Rust: `soak TARGET [--seed N] [--from N] [--count N]`, or `soak TARGET --hex BYTES`.

use std::error::Error;
use std::time::{Duration, Instant};

use fuzz::seeds;

const USAGE: &str = "soak TARGET|all [--seed N] [--from N] [--count N] [--seconds N]\n\
                     soak TARGET --hex BYTES";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else { return Err(USAGE.into()) };
    let (mut seed, mut from, mut count, mut seconds) = (1, 0_u64, 10_000, u64::MAX);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match option.as_str() {
            "--seed" => seed = value.parse()?,
            "--from" => from = value.parse()?,
            "--count" => count = value.parse()?,
            "--seconds" => seconds = value.parse()?,
            "--hex" => {
                let digits = value.as_bytes().chunks(2);
                let bytes =
                    digits.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?));
                let bytes: Result<Vec<u8>, Box<dyn Error>> = bytes.collect();
                fuzz::tamper::SHOWN.store(true, std::sync::atomic::Ordering::Relaxed);
                fuzz::target(&name).ok_or(USAGE)?(&bytes?);
                return Ok(());
            }
            _ => return Err(USAGE.into()),
        }
    }
    // What fails is told at the end, and shrinking fails often.
    std::panic::set_hook(Box::new(|_| {}));
    let known = fuzz::TARGETS.iter().map(|(known, _)| *known);
    let chosen: Vec<&str> = known.filter(|known| name == "all" || name == *known).collect();
    if chosen.is_empty() {
        return Err(USAGE.into());
    }
    let mut failed = 0;
    for name in chosen {
        let (begun, mut done) = (Instant::now(), 0_u64);
        for number in from..from.saturating_add(count) {
            let input = seeds::input(name, seed, number);
            if seeds::check(name, &input).is_err() {
                let short = seeds::shrink(name, &input);
                let problem = seeds::check(name, &short).err().unwrap_or_default();
                println!("number {number} of seed {seed}: {problem}");
                failed += 1;
                break;
            }
            done += 1;
            if begun.elapsed() > Duration::from_secs(seconds) {
                break;
            }
        }
        let rate = done as f64 / begun.elapsed().as_secs_f64();
        println!("{name}: {done} inputs from number {from} of seed {seed}, {rate:.0} a second");
    }
    if failed > 0 { Err(format!("{failed} targets failed").into()) } else { Ok(()) }
}
