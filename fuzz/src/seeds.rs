//! Inputs from a seed, for wherever nothing guides the choice of bytes.

/// The input of a number: the same for the same target, seed and number, on every platform.
///
/// Short ones come often, as they go deep before they do harm.
#[must_use]
pub fn input(target: &str, seed: u64, number: u64) -> Vec<u8> {
    let name = target.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut state = mix(name ^ mix(seed) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(state)
    };
    let length = match next() % 8 {
        0 => next() % 8,
        1..=3 => next() % 64,
        4..=6 => next() % 512,
        _ => next() % 2048,
    };
    // Some are nearly all quiet: then what happens goes far.
    let quiet = next() % 4;
    let byte = |drawn: u64| {
        let byte = (drawn >> 16) as u8;
        if drawn % 8 < quiet * 2 { byte % 200 } else { byte }
    };
    (0..length).map(|_| byte(next())).collect()
}

/// The finisher of SplitMix64.
fn mix(mut value: u64) -> u64 {
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

/// Runs a target on one input; if it panics, says what and how to repeat it.
///
/// # Errors
/// A text that names the target and holds the input.
pub fn check(name: &str, input: &[u8]) -> Result<(), String> {
    let Some(body) = crate::target(name) else { return Err(format!("there is no target {name}")) };
    let run = std::panic::catch_unwind(|| body(input));
    run.map_err(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "{name}: {text}\nrepeat it in the folder fuzz with\n  \
             cargo run --release --example soak -- {name} --hex {hex}"
        )
    })
}

/// A shorter and simpler input that fails too: what can be left out is left out, what can be 0
/// is 0.
#[must_use]
pub fn shrink(name: &str, input: &[u8]) -> Vec<u8> {
    let fails = |input: &[u8]| check(name, input).is_err();
    let mut best = input.to_vec();
    let mut size = best.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < best.len() {
            let end = best.len().min(at + size);
            let without = [&best[..at], &best[end..]].concat();
            let mut zeros = best.clone();
            zeros[at..end].fill(0);
            if fails(&without) {
                best = without;
            } else {
                if zeros != best && fails(&zeros) {
                    best = zeros;
                }
                at = end;
            }
        }
        size /= 2;
    }
    best
}
