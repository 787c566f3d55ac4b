//! Times and sizes in the unit that suits them, for people.

/// `1.23 ms`: a time in the unit that suits it.
#[must_use]
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n.abs() < 1e3 => format!("{n:.0} ns"),
        n if n.abs() < 1e6 => format!("{:.1} µs", n / 1e3),
        n if n.abs() < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

/// [`time`] of a whole number.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub fn nanoseconds(value: u64) -> String {
    time(value as f64)
}

/// `1.2 MB`: a size in the unit that suits it.
#[must_use]
pub fn bytes(size: f64) -> String {
    match size {
        b if b.abs() < 1e3 => format!("{b:.0} B"),
        b if b.abs() < 1e6 => format!("{:.1} KB", b / 1e3),
        b if b.abs() < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.2} GB", b / 1e9),
    }
}

/// [`bytes`] of a whole number.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub fn whole_bytes(size: u64) -> String {
    bytes(size as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_unit() {
        assert_eq!(
            [999.0, -1_500.0, 2.5e6, 3e9].map(time),
            ["999 ns", "-1.5 µs", "2.50 ms", "3.00 s"]
        );
        assert_eq!([-1.5e3, 12.0, 4.2e6].map(bytes), ["-1.5 KB", "12 B", "4.2 MB"]);
        assert_eq!(
            (nanoseconds(10), whole_bytes(2_000_000_000)),
            ("10 ns".into(), "2.00 GB".into())
        );
    }
}
